// What a client's process was told: one client to run, or several at once; and what it says at last, as JSON.
const given = JSON.parse(process.argv[2]);

/** @param {(given: any) => Promise<unknown>} run */
export async function runAll(run) {
  const said = Array.isArray(given) ? await Promise.all(given.map(run)) : await run(given);
  console.log(JSON.stringify(said));
  process.exit(0);
}
export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
