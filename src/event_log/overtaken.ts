/**
 * Another process was faster: a cursor, a stream or a held message is not as it was read. The transaction is rolled back; forget what was
 * planned, read anew, try again.
 */
export class Overtaken extends Error {
  override readonly name = "Overtaken";
}
