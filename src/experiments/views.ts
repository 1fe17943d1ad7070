// One experiment as a screen shows it: design, arms, result and decision with their sentences.
import type { z } from "zod";
import type { Reader } from "#kernel/sql.ts";
import type * as api from "./api.ts";
import { adviceSentence, resultSentence } from "./model/sentence.ts";
import * as store from "./store.ts";

export type ExperimentView = z.output<typeof api.readExperiment.output>;

export async function experiment(reader: Reader, id: string): Promise<ExperimentView | null> {
  const design = await store.design(reader, id);
  if (!design) return null;
  const result = await store.resultOf(reader, id);
  const decision = result && (await store.decisionOf(reader, result.id));
  return {
    design: designOf(design),
    arms: [...(await store.armCounts(reader, id))],
    result: result && {
      id: result.id,
      from: result.fromAt.toISOString(),
      until: result.untilAt.toISOString(),
      measuredAt: result.measuredAt.toISOString(),
      report: result.report,
      sentence: {
        zh: resultSentence(result.report, "zh"),
        en: resultSentence(result.report, "en"),
      },
    },
    decision: decision && {
      id: decision.id,
      resultId: decision.resultId,
      decidedAt: decision.decidedAt.toISOString(),
      advice: decision.decision.advice,
      because: decision.decision.because,
      evidence: decision.decision.evidence,
      sentence: {
        zh: adviceSentence(decision.decision, "zh"),
        en: adviceSentence(decision.decision, "en"),
      },
    },
  };
}

const designOf = ({ id, seed, hashVersion, treatedShareBp, alphaBp, writtenAt }: store.Design) => ({
  id,
  seed,
  hashVersion,
  treatedShareBp,
  primary: "return_rate" as const,
  secondary: "revenue_per_person" as const,
  alphaBp,
  writtenAt: writtenAt.toISOString(),
});
