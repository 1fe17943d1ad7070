import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

/** One sentence in both languages, written for people. */
const sentence = z.object({ zh: z.string(), en: z.string() });
const arm = z.enum(["treated", "control"]);
const interval = z.tuple([z.number(), z.number()]);
const rate = z.object({ people: z.int(), returned: z.int(), rateBp: z.int() });

/** What was written down before anybody could see a result. */
export const design = z.object({
  id: z.uuid(),
  seed: z.string(),
  hashVersion: z.int(),
  treatedShareBp: z.int(),
  primary: z.literal("return_rate"),
  secondary: z.literal("revenue_per_person"),
  /** How often it may claim an effect where there is none. */
  alphaBp: z.int(),
  writtenAt: z.iso.datetime(),
});

export const report = z.object({
  primary: z.object({
    treated: rate,
    control: rate,
    differenceBp: z.int(),
    intervalBp: interval,
    claims: z.boolean(),
  }),
  secondary: z.object({
    currency: z.string(),
    treatedMinor: z.int(),
    controlMinor: z.int(),
    differenceMinor: z.int(),
    intervalMinor: interval.nullable(),
    /** May it be read as evidence? Only where the primary claims. */
    evidence: z.boolean(),
  }),
  split: z.object({
    treatedBp: z.int(),
    expectedBp: z.int(),
    p: z.number(),
    /** The arms are not of the sizes asked for: nothing may be claimed. */
    alarm: z.boolean(),
  }),
  detectableBp: z.int().nullable(),
  verdict: z.enum(["helped", "harmed", "not_shown", "too_few", "broken_split"]),
});

export const result = z.object({
  id: z.uuid(),
  from: z.iso.datetime(),
  until: z.iso.datetime(),
  measuredAt: z.iso.datetime(),
  report,
  sentence,
});

export const decision = z.object({
  id: z.uuid(),
  resultId: z.uuid(),
  decidedAt: z.iso.datetime(),
  advice: z.enum(["mend", "stop", "repeat", "change"]),
  because: z.string(),
  evidence: z.object({
    controlPeople: z.int(),
    detectableBp: z.int().nullable(),
    runs: z.int(),
    pooled: z.object({ differenceBp: z.int(), intervalBp: interval }).nullable(),
    worthBp: z.int(),
    peopleNeeded: z.object({ thisSplit: z.int().nullable(), evenSplit: z.int() }),
  }),
  sentence,
});

export const readExperiment = endpoint({
  method: "GET",
  path: "/v1/experiments/:experiment",
  permission: "programmes:read",
  summary: {
    zh: "看一个实验：事先写下的设计、两组人数、结果和决定",
    en: "One experiment: its design as written down, its arms, its result and decision",
  },
  input: z.strictObject({ experiment: z.uuid() }),
  output: z.object({
    design,
    /** Without those who are counted in `crossed`. */
    arms: z.array(z.object({ arm, people: z.int() })),
    /** People who turned out to be one somebody after each had been in another arm: they are in neither's result. */
    crossed: z.int(),
    result: result.nullable(),
    decision: decision.nullable(),
  }),
  failures: ["experiments.unknown"],
});
