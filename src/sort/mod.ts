/**
 * The external merge sort: any number of items in order, in bounded memory, by sorted runs on disk; and the folders that runs lie in,
 * which a later process clears away when theirs was killed.
 */
export {
  ExternalSort,
  type Folder,
  remove,
  type SortBound,
  type Sorted,
  take_folder,
  with_left_folders,
  with_scratch,
} from "./external_sort.ts";
