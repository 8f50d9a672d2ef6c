/** Keeps the branches in this browser, so that they are there again when the page is loaded again. */

const DATABASE = "lilliput";
const STORE = "playground";
const KEY = "branches";

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function openStore(mode) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await done(opening);
  return database.transaction(STORE, mode).objectStore(STORE);
}

/** Keeps `value` in place of an earlier one. A browser that keeps nothing, as in private windows, is no error. */
export async function keep(value) {
  try {
    await done((await openStore("readwrite")).put(value, KEY));
  } catch {
    // Saving to a file is there, too.
  }
}

/** What was kept, or null. */
export async function recall() {
  try {
    return (await done((await openStore("readonly")).get(KEY))) ?? null;
  } catch {
    return null;
  }
}
