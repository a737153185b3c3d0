// Exchanges the token for a session cookie: a feed cannot send headers, and tokens have no place in addresses.

const form = document.querySelector("#login");
const token = document.querySelector("#token");
const told = document.querySelector("#told");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  told.textContent = "";
  try {
    const response = await fetch("/api/v1/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: token.value }),
    });
    if (response.ok) location.reload();
    else {told.textContent = response.status === 401
        ? "This is not the token."
        : `The server answered ${response.status}.`;}
  } catch {
    told.textContent = "The server does not answer.";
  }
});
