/**
 * What can be proven of a log to somebody who does not trust whoever owns its database.
 *
 * The hash chain shows that nothing in it was changed by itself; who owns the database could write all of it anew, with links that fit. So every
 * so often the last link is signed (a checkpoint), kept in the log's database, and sent outside: what others hold, signed, cannot be
 * written anew. A receipt is a figure or a stream with what it is made of, and the chain from there to such a checkpoint: it is checked
 * without the database. `docs/proof.md` has both formats and says what they prove and what not.
 *
 * What holds: checkpoints of one log are in order, each of a batch of its own, however many instances sign; what was not delivered is
 * delivered later, once or more; neither ever holds an append up.
 *
 * Decision: Ed25519 by WebCrypto, no package; keys are PEM files, as openssl makes them.
 */
export {
  check_checkpoints,
  type CheckedCheckpoints,
  type CheckpointsCheck,
  deliver,
  type Destination,
  outside_place,
  webhook,
} from "./delivery.ts";
export {
  believe_text,
  checkpoint_text,
  KeyUnusable,
  LogRewritten,
  public_pem,
  type PublicKeys,
  read_public_keys,
  read_signing_key,
  sign_checkpoint,
  sign_when_due,
  type SigningKey,
} from "./checkpoint.ts";
export { FigureUnknown } from "./day_figure.ts";
export { find_for_receipt, NoReceipt, type Wanted, write_receipt } from "./receipt.ts";
export { type CheckedReceipt, type DomainOf, ReceiptCheck, ReceiptWrong } from "./receipt_check.ts";
