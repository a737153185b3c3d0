/** Folders in the data directory that one process works in at a time. The system lets go of a folder's lock however its process ends. */

/** Takes a folder, which is made where it is absent; null when another process works in it. Closing the file lets go of it. */
export async function take_folder(folder: string): Promise<Deno.FsFile | null> {
  await Deno.mkdir(folder, { recursive: true });
  const file = await Deno.open(`${folder}/lock`, { create: true, write: true });
  if (await file.tryLock(true)) return file;
  file.close();
  return null;
}

/**
 * Lends the folders whose name begins so, and in which no process works, to `work`: what a process left that was killed.
 * @param data_dir may be absent
 */
export async function with_left_folders(
  data_dir: string,
  prefix: string,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(data_dir)) {
      if (isDirectory && name.startsWith(prefix)) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const name of names) {
    const folder = `${data_dir}/${name}`;
    const lock = await take_folder(folder);
    if (lock === null) continue;
    try {
      await work(folder);
    } finally {
      lock.close();
    }
  }
}

/** Removes a file or folder, if it is there. */
export async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A folder for runs that is made when it is first asked for. */
export type Folder = () => Promise<string>;

/**
 * Lends a folder in the data directory for runs, and removes it at the end, however that comes. It is made when it is first asked for; those of
 * processes that were killed are removed then.
 * @param kind the name of the folder, before a hyphen and what makes it one of its own
 */
export async function with_scratch<T>(
  data_dir: string,
  kind: string,
  work: (folder: Folder) => Promise<T>,
): Promise<T> {
  const folder = `${data_dir}/${kind}-${crypto.randomUUID()}`;
  let lock: Deno.FsFile | null = null;
  const made = async () => {
    if (lock === null) {
      await with_left_folders(data_dir, `${kind}-`, remove);
      lock = await take_folder(folder);
      if (lock === null) throw new Error(`take ${JSON.stringify(folder)}: another process works in it`);
    }
    return `${folder}/runs`;
  };
  try {
    return await work(made);
  } finally {
    if (lock !== null) {
      await remove(folder);
      (lock as Deno.FsFile).close();
    }
  }
}
