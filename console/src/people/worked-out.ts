import { api, call } from "../ui/call.ts";

const lookMs = 400;
const looks = 25;
/** Waits until a job of who is who is done, ten seconds at most: a long one shows on the page of identity rules. */
export async function workedOut(job: string): Promise<void> {
  for (let n = 0; n < looks; n++) {
    const { jobs } = await call(api.people.jobs, {});
    if (jobs.find(({ id }) => id === job)?.endedAt !== null) return;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
