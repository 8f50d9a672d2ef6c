/** Keeps values in this browser, so that they are there again when the page is loaded again. */

const STORE = "playground";
let database = null;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function open() {
  const opening = indexedDB.open("lilliput", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  return done(opening);
}

async function openStore(mode) {
  database ??= open();
  return (await database).transaction(STORE, mode).objectStore(STORE);
}

/** Keeps a value in place of an earlier one. A browser that keeps nothing, as in private windows, is no error. */
export async function keep(name, value) {
  try {
    await done((await openStore("readwrite")).put(value, name));
  } catch {
    // The user can still save to a file.
  }
}

/** What was kept, or null. */
export async function recall(name) {
  try {
    return (await done((await openStore("readonly")).get(name))) ?? null;
  } catch {
    return null;
  }
}
