import fc from "fast-check";
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { compress } from "./histories.ts";
import { fitNbd, nbdExpected, nbdLogLikelihood, nbdOrderWithin } from "./nbd.ts";

const golden = `${process.env.LIUKE_SHARED ?? "../shared"}/data/cdnow/golden_sample_fixed_params.csv.gz`;

test.skipIf(!existsSync(golden))("CDNOW sample: the published NBD fit", () => {
  const lines = gunzipSync(readFileSync(golden)).toString().trim().split("\n").slice(1);
  const cells = lines.map((line) => line.split(",").map(Number));
  const weeks = (at: number) => Float64Array.from(cells, (row) => Math.round(row[at]! * 7) / 7);
  const rows = compress({
    x: Float64Array.from(cells, (row) => row[1]!),
    tx: weeks(2),
    T: weeks(3),
    people: new Float64Array(cells.length).fill(1),
  });
  const fit = fitNbd(rows);
  expect(Math.abs(fit.logLikelihood - -9763.657615)).toBeLessThan(1e-4);
  expect(Math.abs(fit.r / 0.3847661 - 1)).toBeLessThan(1e-3);
  expect(Math.abs(fit.alpha / 12.0720233 - 1)).toBeLessThan(1e-3);
  expect(nbdLogLikelihood(fit, rows)).toBeCloseTo(fit.logLikelihood, 6);
});

const positive = (min: number, max: number) => fc.double({ min, max, noNaN: true });

test("who bought more often buys sooner; longer ahead is likelier; always a chance", () => {
  fc.assert(
    fc.property(
      fc.record({ r: positive(0.01, 20), alpha: positive(0.1, 500) }),
      fc.integer({ min: 0, max: 1000 }),
      positive(0, 2000),
      positive(0.1, 400),
      (model, x, T, h) => {
        const chance = nbdOrderWithin(model, x, T, h);
        expect(chance).toBeGreaterThan(0);
        expect(chance).toBeLessThanOrEqual(1);
        const formula = 1 - ((model.alpha + T) / (model.alpha + T + h)) ** (model.r + x);
        expect(chance).toBeCloseTo(formula, 12);
        expect(nbdOrderWithin(model, x + 1, T, h)).toBeGreaterThanOrEqual(chance);
        expect(nbdOrderWithin(model, x, T, h * 2)).toBeGreaterThanOrEqual(chance);
        // Markov: somebody who orders with this chance orders at least that often on average.
        expect(nbdExpected(model, x, T, h)).toBeGreaterThanOrEqual(chance * (1 - 1e-12));
      },
    ),
  );
});
