/** What can be proven of a log: checkpoints while it is served and by a verb, and what is held against them. */
export {
  believed_keys,
  checkpoint_at_end,
  checkpoint_keeper,
  checkpoint_verb,
  type Checkpointing,
  checkpointing_of,
  warn_of_open_key,
} from "./keep.ts";
export { receipt_verb, verify_receipt } from "./receipt.ts";
