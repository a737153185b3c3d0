/** Forgetting a person: what stands for it in the log says nothing any more, what named it in quarantine is erased (docs/forgetting.md). */
export { forget_verb, forgettable_dimensions } from "./forget.ts";
