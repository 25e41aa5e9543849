const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Acts as a user who has no rights of root, whom nothing keeps from removing a file. What the user is to own is made in here. */
export async function asAnyUser(act: () => Promise<void> | void): Promise<void> {
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    await act();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
