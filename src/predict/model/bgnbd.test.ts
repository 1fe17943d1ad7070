import fc from "fast-check";
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  bgnbdExpected,
  bgnbdExpectedOfNew,
  bgnbdLogLikelihood,
  bgnbdOrderWithin,
  fitBgnbd,
  pAlive,
  type Bgnbd,
} from "./bgnbd.ts";
import { compress, type Histories } from "./histories.ts";
import { fitNbd, nbdExpected, nbdLogLikelihood } from "./nbd.ts";
import { lgamma } from "./special.ts";

const folder = `${process.env.LIUKE_SHARED ?? "../shared"}/data/cdnow`;
const relative = (value: number, expected: number) => Math.abs(value / expected - 1);

describe.skipIf(!existsSync(folder))("CDNOW sample", () => {
  const read = () => {
    const text = gunzipSync(readFileSync(`${folder}/golden_sample_fixed_params.csv.gz`)).toString();
    const [head, ...lines] = text.trim().split("\n");
    const names = head!.split(",");
    return lines.map((line) => {
      const cells = line.split(",").map(Number);
      const of = (name: string) => cells[names.indexOf(name)]!;
      // The file rounds weeks to ten digits; they are whole days.
      const week = (name: string) => Math.round(of(name) * 7) / 7;
      return { of, x: of("x"), tx: week("t_x_weeks"), T: week("T_weeks") };
    });
  };
  const fixed = (): Bgnbd => {
    const params = JSON.parse(readFileSync(`${folder}/golden_params.json`, "utf8"));
    const [r, alpha, a, b] = params.cdnow_sample["BG/NBD"];
    return { r, alpha, a, b };
  };

  /** Repeat purchases from the raw log by the protocol: same day merged, calibration to 1997-09-30 included. */
  const fromRawLog = (): Histories => {
    const byCustomer = new Map<string, Set<number>>();
    const end = Date.parse("1997-09-30") / 864e5;
    for (const line of readFileSync(`${folder}/CDNOW_sample.txt`, "utf8").trim().split("\n")) {
      const [, id, date] = line.trim().split(/\s+/);
      const iso = `${date!.slice(0, 4)}-${date!.slice(4, 6)}-${date!.slice(6, 8)}`;
      const days = byCustomer.get(id!) ?? new Set();
      byCustomer.set(id!, days.add(Date.parse(iso) / 864e5));
    }
    const all = [...byCustomer.values()].map((days) => [...days].filter((day) => day <= end));
    const first = all.map((days) => Math.min(...days));
    return {
      x: Float64Array.from(all, (days) => days.length - 1),
      tx: Float64Array.from(all, (days, i) => (Math.max(...days) - first[i]!) / 7),
      T: Float64Array.from(first, (day) => (end - day) / 7),
      people: new Float64Array(all.length).fill(1),
    };
  };

  test("the published fit, from the raw log", () => {
    const rows = fromRawLog();
    expect(rows.x.length).toBe(2357);
    expect(rows.x.reduce((sum, x) => sum + x, 0)).toBe(2457);
    const groups = compress(rows);
    const fit = fitBgnbd(groups, fitNbd(groups));
    expect(Math.abs(fit.logLikelihood - -9582.429207)).toBeLessThan(1e-4);
    expect(relative(fit.r, 0.2425945)).toBeLessThan(1e-3);
    expect(relative(fit.alpha, 4.4136019)).toBeLessThan(1e-3);
    expect(relative(fit.a, 0.7929223)).toBeLessThan(1e-3);
    expect(relative(fit.b, 2.4259075)).toBeLessThan(1e-3);
    expect(bgnbdLogLikelihood(fit, rows)).toBeCloseTo(fit.logLikelihood, 6);

    const published = [
      [0.1429, 0.0078],
      [1, 0.0532],
      [3, 0.1506],
      [31.8571, 1.0405],
      [32, 1.0437],
      [78, 1.858],
    ] as const;
    for (const [t, orders] of published)
      expect(Math.abs(bgnbdExpectedOfNew(fit, t) - orders)).toBeLessThanOrEqual(5.1e-5);
    // Customer 1516. The published .9688523 was taken at a fit that differs in the sixth digit.
    expect(relative(pAlive(fit, 26, 30.857143, 31), 0.9688523)).toBeLessThan(1e-5);
  });

  test("every customer's expected purchases, P(alive) and likelihood at the given parameters", () => {
    const model = fixed();
    const customers = read();
    expect(customers.length).toBe(2357);
    for (const { of, x, tx, T } of customers) {
      expect(relative(bgnbdExpected(model, x, tx, T, 39), of("bg_cet39"))).toBeLessThan(1e-7);
      expect(relative(pAlive(model, x, tx, T), of("bg_palive"))).toBeLessThan(1e-7);
      const one = { x: [x], tx: [tx], T: [T], people: [1] };
      const row = Object.fromEntries(
        Object.entries(one).map(([name, value]) => [name, Float64Array.from(value)]),
      ) as Histories;
      expect(Math.abs(bgnbdLogLikelihood(model, row) - of("ll_bg"))).toBeLessThan(1e-7);
    }
  });
});

const positive = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const models = fc.record<Bgnbd>({
  r: positive(0.05, 10),
  alpha: positive(0.5, 300),
  a: positive(0.01, 60),
  b: positive(0.05, 200),
});
const past = fc
  .record({ x: fc.integer({ min: 0, max: 1000 }), last: positive(0, 1), T: positive(1, 500) })
  .map(({ x, last, T }) => ({ x, tx: x === 0 ? 0 : last * T, T }));

test("no number is ever missing, up to a thousand purchases, and each stays in its range", () => {
  fc.assert(
    fc.property(models, past, positive(0.1, 400), (model, { x, tx, T }, t) => {
      const alive = pAlive(model, x, tx, T);
      const chance = bgnbdOrderWithin(model, x, tx, T, t);
      const expected = bgnbdExpected(model, x, tx, T, t);
      expect(alive).toBeGreaterThanOrEqual(0);
      expect(alive).toBeLessThanOrEqual(1);
      expect(chance).toBeLessThanOrEqual(alive);
      // At least the chance of one, at most what somebody who never drops out would buy.
      expect(expected).toBeGreaterThanOrEqual(chance * (1 - 1e-9) - 1e-12);
      expect(expected).toBeLessThanOrEqual(nbdExpected(model, x, T, t) * (1 + 1e-9));
      if (x === 0) expect(alive).toBe(1);
    }),
    { numRuns: 1000 },
  );
});

test("P(alive) is what Bayes' rule makes of having dropped out at the last purchase or not", () => {
  const logBeta = (a: number, b: number) => lgamma(a) + lgamma(b) - lgamma(a + b);
  fc.assert(
    fc.property(models, past, ({ r, alpha, a, b }, { x, tx, T }) => {
      fc.pre(x > 0);
      const stayed = logBeta(a, b + x) - (r + x) * Math.log(alpha + T);
      const left = logBeta(a + 1, b + x - 1) - (r + x) * Math.log(alpha + tx);
      const alive = 1 / (1 + Math.exp(left - stayed));
      expect(pAlive({ r, alpha, a, b }, x, tx, T)).toBeCloseTo(alive, 8);
    }),
  );
});

test.each([200, 500, 1000])("x = %i, watched for a year: no NaN, likelihood included", (x) => {
  const rows = Object.fromEntries(
    Object.entries({ x: [x, 0], tx: [360, 0], T: [365, 365], people: [1, 50] }).map(([k, v]) => [
      k,
      Float64Array.from(v),
    ]),
  ) as Histories;
  const fit = fitBgnbd(rows, fitNbd(rows));
  expect(Number.isFinite(fit.logLikelihood)).toBe(true);
  for (const last of [10, 300, 360, 365]) {
    expect(pAlive(fit, x, last, 365)).toBeGreaterThanOrEqual(0);
    expect(bgnbdExpected(fit, x, last, 365, 90)).toBeGreaterThanOrEqual(0);
  }
});

/** The mean of (1 − (α/(α+pt))^r) / p over p ~ beta(a, b), by a fine even grid on ln(p/(1−p)). */
function byBruteForce(r: number, alpha: number, a: number, b: number, t: number): number {
  let sum = 0;
  let mass = 0;
  const logP = (logit: number) => -Math.log1p(Math.exp(-Math.abs(logit))) + Math.min(0, logit);
  const middle = Math.log(a / b);
  const top = a * logP(middle) + b * logP(-middle);
  for (
    let logit = middle - 40 / Math.min(a, 4);
    logit <= middle + 40 / Math.min(b, 4);
    logit += 0.002
  ) {
    const p = Math.exp(logP(logit));
    const weight = Math.exp(a * logP(logit) + b * logP(-logit) - top);
    sum += weight * (-Math.expm1(-r * Math.log1p((p * t) / alpha)) / p);
    mass += weight;
  }
  return sum / mass;
}

test.each([
  [0.3, 5, 0.8, 2.4, 39],
  [0.3, 5, 1, 2.4, 39],
  [0.3, 5, 1 + 1e-9, 2.4, 39],
  [2, 5, 0.5, 0.4, 900],
  [26.3, 35, 0.8, 28.4, 52],
  [400, 300, 3, 402, 365],
  [1.5, 60, 29.9, 150, 90],
  [1.5, 60, 30.1, 150, 90],
  [0.7, 60, 500, 4000, 3650],
  [1.5, 60, 19.9, 30, 400],
  [60, 20, 0.8, 2, 90],
  [5000, 20_000, 0.8, 2, 90],
  [3, 0.5, 29, 0.1, 400],
])("expected purchases by integration, r %f α %f a %f b %f t %f", (r, alpha, a, b, t) => {
  const value = bgnbdExpectedOfNew({ r, alpha, a, b }, t);
  expect(relative(value, byBruteForce(r, alpha, a, b, t))).toBeLessThan(1e-8);
});

test("where dropout vanishes the likelihood and the expectation are NBD's", () => {
  fc.assert(
    fc.property(models, past, positive(0.1, 400), (model, { x, tx, T }, t) => {
      const none = { ...model, a: 1e-13, b: Math.max(1, model.b) };
      const row = { x: Float64Array.of(x), tx: Float64Array.of(tx), T: Float64Array.of(T) };
      const rows = { ...row, people: Float64Array.of(1) };
      fc.pre((model.r + x) * Math.log((model.alpha + T) / (model.alpha + tx)) < 10);
      const plain = nbdLogLikelihood(model, rows);
      expect(Math.abs(bgnbdLogLikelihood(none, rows) - plain)).toBeLessThan(1e-6);
      expect(relative(bgnbdExpected(none, x, tx, T, t), nbdExpected(model, x, T, t))).toBeLessThan(
        1e-6,
      );
    }),
  );
});
