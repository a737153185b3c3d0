import { make } from "./page.js";
import { is_zone, zone_of } from "./marks_address.js";
import { format_zone } from "./format.js";
import { field, form, input, open_dialog } from "./dialog.js";

/** The choice of the zone of all times on the page. */

/** Opens it. */
export function open({ look, go }) {
  const { address, now_ms, board: { hello: { time_zone: business_zone } } } = look();
  const named = (tz) => format_zone(zone_of({ tz }, business_zone), now_ms);
  const choices = [[null, "Business zone"], ["local", "This browser's"], ["UTC", "UTC"]].map(([tz, text]) => {
    const button = make("button", "choice", make("b", "", text), make("span", "", named(tz)));
    button.ariaPressed = address.tz === tz;
    button.onclick = () => choose(tz);
    return button;
  });
  const zones = make("datalist");
  zones.id = "zones";
  zones.append(...Intl.supportedValuesOf("timeZone").map((value) => Object.assign(make("option"), { value })));
  const other = input({
    type: "text",
    value: ["local", "UTC", null].includes(address.tz) ? "" : address.tz,
    placeholder: "Europe/Berlin",
    autocomplete: "off",
  });
  other.setAttribute("list", "zones");
  other.oninput = () => other.setCustomValidity("");
  const typed = form(
    () => {
      const name = other.value.trim();
      if (is_zone(name)) return choose(name);
      other.setCustomValidity(`No such zone: ${JSON.stringify(name)}. Names look like Europe/Berlin.`);
      other.reportValidity();
    },
    "Use",
    field("Another zone", other),
    zones,
  );
  typed.classList.add("zone");
  const said =
    `Times everywhere on the page are told in this zone. Days still begin and end at midnight in ${business_zone}: figures per day do not change.`;
  const dialog = open_dialog("Time zone", make("p", "sub", said), make("div", "choices", ...choices), typed);

  function choose(tz) {
    go({ tz });
    dialog.close();
  }
}
