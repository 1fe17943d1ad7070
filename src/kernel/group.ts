// Work that waits for the same thing goes in one go: what arrives while a round is under way makes up the next one.

/** One item in, its own verdict out. Items of one `twin` never share a round: the second has to see the first. */
export type Lane<I, O> = (item: I, twin?: string, person?: string) => Promise<O>;

type Waiting<I, O> = {
  item: I;
  twin: string | undefined;
  person: string;
  resolve: (answer: O) => void;
  reject: (thrown: unknown) => void;
};

/**
 * `run` gets up to `limit` items, ordered by person and within one by arrival, and gives a verdict for each. `atOnce`:
 * how many rounds may be under way; with more than one, items that wait for the same thing must bear to overtake.
 */
export function inOrder<I, O>(
  run: (items: I[]) => Promise<O[]>,
  limit: number,
  atOnce = 1,
): Lane<I, O> {
  let waiting: Waiting<I, O>[] = [];
  let busy = 0;

  async function rounds(): Promise<void> {
    busy++;
    while (waiting.length > 0) {
      const round: Waiting<I, O>[] = [];
      const later: Waiting<I, O>[] = [];
      const twins = new Set<string>();
      for (const next of waiting) {
        const double = next.twin !== undefined && twins.has(next.twin);
        if (double || round.length === limit) later.push(next);
        else {
          round.push(next);
          if (next.twin !== undefined) twins.add(next.twin);
        }
      }
      waiting = later;
      round.sort((a, b) => (a.person < b.person ? -1 : a.person > b.person ? 1 : 0));
      try {
        const answers = await run(round.map(({ item }) => item));
        round.forEach(({ resolve }, i) => resolve(answers[i]!));
      } catch (thrown) {
        for (const { reject } of round) reject(thrown);
      }
    }
    busy--;
  }

  return (item, twin, person = "") =>
    new Promise((resolve, reject) => {
      waiting.push({ item, twin, person, resolve, reject });
      if (busy < atOnce) void rounds();
    });
}
