import fc from "fast-check";

/**
 * Damage to the bytes of a message: what a wrong encoder, a cut connection, a full disk or ill will makes of a good one. Each draw is a
 * function, so that the same draw does the same to the same bytes.
 */
export type Damage = (value: Uint8Array, other: Uint8Array) => Uint8Array | null;

const encoder = new TextEncoder();
const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};
const place = fc.nat(0xffff);
const at = (bytes: Uint8Array, place: number): number => bytes.length === 0 ? 0 : place % bytes.length;

const flip = fc.array(fc.tuple(place, fc.nat(7)), { minLength: 1, maxLength: 4 }).map((flips): Damage => (value) => {
  const bytes = value.slice();
  for (const [where, bit] of flips) if (bytes.length > 0) bytes[at(bytes, where)]! ^= 1 << bit;
  return bytes;
});
const cut = place.map((where): Damage => (value) => value.slice(0, at(value, where)));
const splice = fc.tuple(place, place).map(([head, tail]): Damage => (value, other) =>
  joined(value.subarray(0, at(value, head)), other.subarray(at(other, tail)))
);
const repeat = fc.tuple(place, place, fc.integer({ min: 2, max: 20 })).map(([a, b, times]): Damage => (value) => {
  const [from, to] = [at(value, a), at(value, b)].sort((x, y) => x - y) as [number, number];
  const piece = value.subarray(from, to);
  return joined(value.subarray(0, to), ...Array.from({ length: times }, () => piece), value.subarray(to));
});
const INSERTED = [
  [0x00],
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xef, 0xbb, 0xbf],
  [0xe2, 0x82],
  [0x0a],
  [0x22],
  [0x5c],
  [0x7b],
  [0x7d, 0x7d],
];
const insert = fc.tuple(fc.oneof(fc.constant(0), place), fc.constantFrom(...INSERTED)).map(
  ([where, bytes]): Damage => (value) =>
    joined(value.subarray(0, at(value, where)), new Uint8Array(bytes), value.subarray(at(value, where))),
);
const anything = fc.uint8Array({ maxLength: 300 }).map((bytes): Damage => () => Uint8Array.from(bytes));
const nothing = fc.constantFrom<Damage>(() => null, () => new Uint8Array());
const WHOLE = [
  "null",
  "0",
  "[]",
  "{}",
  '""',
  "true",
  '"\\u0000"',
  "{",
  "\ufeff{}",
  " \n",
  "NaN",
  '{"":{}}',
  '{"__proto__":null}',
];
const other_json = fc.constantFrom(...WHOLE).map((text): Damage => () => encoder.encode(text));

/** Puts a member before the others or after them: a name that is there already is there twice then. */
const with_member = (member: string, first: boolean): Damage => (value) => {
  const brace = first ? value.indexOf(0x7b) : value.lastIndexOf(0x7d);
  if (brace < 0) return value;
  const bytes = encoder.encode(first ? `${member},` : `,${member}`);
  const from = first ? brace + 1 : brace;
  return joined(value.subarray(0, from), bytes, value.subarray(from));
};
const NAMES = [
  "event_id",
  "id",
  "trip_id",
  "subject",
  "type",
  "time",
  "occurred_at",
  "data",
  "fare",
  "city",
  "specversion",
  "__proto__",
];
const VALUES = ['"x"', "1", "null", '"trip.started"', '"2026-03-01T10:00:00Z"', "{}", '{"fare":1}', '"1.0"', "[[]]"];
const duplicate_name = fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES), fc.boolean()).map(
  ([name, value, first]) => with_member(`"${name}":${value}`, first),
);

const MANY = [
  (size: number) => `"note":${"[".repeat(size)}${"]".repeat(size)}`,
  (size: number) => `"note":${'{"a":'.repeat(size)}1${"}".repeat(size)}`,
  (size: number) => `"note":${"[".repeat(size)}`,
  (size: number) => Array.from({ length: size }, (_, i) => `"k${i}":${i}`).join(","),
  (size: number) => `"note":[${'"😀",'.repeat(size)}0]`,
  (size: number) => `"note":${"7".repeat(size)}`,
  (size: number) => `"note":0.${"7".repeat(size)}`,
  (size: number) => `"note":0.${"0".repeat(size)}1`,
  (size: number) => `"note":1.${"0".repeat(size)}1`,
  (size: number) => `"note":1e${size}`,
  (size: number) => `"note":[${"1.2345678901234567e-299,".repeat(size / 20)}1e${size}]`,
  (size: number) => `"fare":1.${"0".repeat(size)}`,
  (size: number) => `"${"n".repeat(size)}":1`,
  (size: number) => `"note":"${"\\u0041".repeat(size)}"`,
];
const size = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(1, 20, 63, 64, 65, 200, 308, 309, 1_000) },
  { weight: 1, arbitrary: fc.constantFrom(5_000, 16_382, 16_383, 16_384, 50_000) },
);
const much = fc.tuple(fc.constantFrom(...MANY), size).map(([make, size]) => with_member(make(size), false));

/** Exchanges the values of two members. */
const swap = fc.tuple(place, place).map(([a, b]): Damage => (value) => {
  let members: [string, unknown][];
  try {
    members = Object.entries(JSON.parse(new TextDecoder().decode(value)));
  } catch {
    // What is no JSON has no members.
    return value;
  }
  if (members.length < 2) return value;
  const [one, two] = [members[a % members.length]!, members[b % members.length]!];
  [one[1], two[1]] = [two[1], one[1]];
  return encoder.encode(JSON.stringify(Object.fromEntries(members)));
});

/** Small damage of every kind. */
export const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: flip },
  { weight: 2, arbitrary: cut },
  { weight: 3, arbitrary: splice },
  { weight: 1, arbitrary: repeat },
  { weight: 2, arbitrary: insert },
  { weight: 2, arbitrary: anything },
  { weight: 2, arbitrary: nothing },
  { weight: 1, arbitrary: other_json },
  { weight: 4, arbitrary: duplicate_name },
  { weight: 1, arbitrary: much },
  { weight: 4, arbitrary: swap },
);

/**
 * Makes a message as large as wanted, with one more text in it; admissible up to the limit.
 * @param limit bytes that a message may have
 */
export const bloat = (limit: number): fc.Arbitrary<Damage> =>
  fc.oneof(
    fc.constantFrom(limit - 1, limit, limit + 1, Math.floor(limit * 1.2)),
    fc.integer({ min: Math.floor(limit / 16), max: limit }),
  ).map((size): Damage => (value) => {
    const empty = '"note":""';
    return with_member(`"note":"${"x".repeat(Math.max(size - value.length - empty.length - 1, 0))}"`, false)(
      value,
      value,
    );
  });

/** How many times the limit makes a message one that is not held whole. */
const NOT_HELD = 4;

/** Much of nearly nothing: more than is held, unpacked, and little on the wire. With the message at its begin, or without. */
export const bomb = (limit: number): fc.Arbitrary<Damage> =>
  fc.tuple(fc.integer({ min: 0, max: limit }), fc.boolean()).map(([more, begins]): Damage => (value) => {
    const bytes = new Uint8Array((NOT_HELD + 1) * limit + more).fill(0x20);
    if (begins) bytes.set(value.subarray(0, bytes.length));
    return bytes;
  });

/** Whether a message is one. */
export const is_bomb = (value: Uint8Array | null, limit: number): boolean =>
  value !== null && value.length > NOT_HELD * limit;
