import {
  public_pem,
  type PublicKeys,
  read_public_keys,
  read_signing_key,
  type SigningKey,
} from "../../src/proof/mod.ts";

/** A new key: what signs, its file as openssl would write it, and the file of its public half. */
export interface TestKey {
  readonly key: SigningKey;
  readonly private_pem: string;
  readonly public_pem: string;
  readonly believed: PublicKeys;
}

/** Makes a key. */
export async function test_key(): Promise<TestKey> {
  const { privateKey } = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as CryptoKeyPair;
  const bytes = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  const private_pem = `-----BEGIN PRIVATE KEY-----\n${bytes.toBase64()}\n-----END PRIVATE KEY-----\n`;
  const key = await read_signing_key(private_pem, "test"), pem = public_pem(key);
  return { key, private_pem, public_pem: pem, believed: await read_public_keys([{ text: pem, where: "test" }]) };
}
