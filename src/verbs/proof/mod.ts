/** What can be proven of a log: checkpoints while it is served and by a verb, and what is held against them. */
export { checkpoint_verb } from "./checkpoint.ts";
export { checkpoint_at_end, checkpoint_keeper, type Checkpointing, checkpointing_of } from "./keep.ts";
export { believed_keys, warn_of_open_key } from "./keys.ts";
export { receipt_verb, verify_receipt } from "./receipt.ts";
