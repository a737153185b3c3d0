import assert from "node:assert/strict";
import {
  believe_text,
  checkpoint_text,
  KeyUnusable,
  read_public_keys,
  read_signing_key,
  sign_checkpoint,
} from "../../src/proof/mod.ts";
import { test_key } from "../support/signing.ts";

const ABOUT = {
  log_id: "7d0f6f0e-0000-4000-8000-000000000000",
  domain: "trips",
  batch: 12,
  position: 345,
  link: "9b".repeat(32),
  signed_at: "2026-03-01T12:00:00.000Z",
};

Deno.test("a checkpoint's file is believed as it was written, and with no bit of it another one", async () => {
  const { key, believed } = await test_key();
  const text = checkpoint_text(await sign_checkpoint(key, ABOUT)), bytes = new TextEncoder().encode(text);
  const read = await believe_text(believed, text);
  assert.deepEqual(read.ok && read.value.checkpoint, { ...ABOUT, key: key.id });
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    // What is no UTF-8 comes out of reading as other characters.
    const { ok } = await believe_text(believed, new TextDecoder().decode(flipped));
    assert.equal(ok, false, `bit ${bit} of ${text}`);
  }
});

Deno.test("a key that is none is refused with what makes one, and nothing of it is quoted", async () => {
  const { private_pem, public_pem } = await test_key();
  const secret = private_pem.split("\n")[1]!;
  const rsa = await crypto.subtle.generateKey(
    { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
    true,
    ["sign", "verify"],
  );
  const other = new Uint8Array(await crypto.subtle.exportKey("pkcs8", rsa.privateKey)).toBase64();
  const wrong = [
    "",
    public_pem,
    private_pem.replace(secret, secret.slice(0, 40)),
    private_pem.replace(secret, `${secret}!`),
    private_pem.replace(secret, other),
  ];
  for (const text of wrong) {
    await assert.rejects(read_signing_key(text, "signing.pem"), (error) => {
      assert.ok(error instanceof KeyUnusable);
      assert.match(
        error.message,
        /^read the key "signing\.pem": expected an Ed25519 key as PEM \(PRIVATE KEY\), as `openssl genpkey/,
      );
      assert.equal(`${error.message}${error.cause}`.includes(secret.slice(0, 20)), false);
      return true;
    });
  }
  await assert.rejects(
    read_public_keys([{ text: private_pem, where: "x" }]),
    /expected an Ed25519 key as PEM \(PUBLIC KEY\)/,
  );
  // As openssl writes it, and in lines of another length.
  assert.equal(
    (await read_signing_key(private_pem.replaceAll("\n", "\r\n"), "x")).id,
    (await read_signing_key(private_pem, "x")).id,
  );
});
