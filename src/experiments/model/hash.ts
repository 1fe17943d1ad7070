// Who is treated and who is held out is decided by a hash of the person, so that it needs no table, never changes,
// and any GrowthBook SDK that is handed the same experiment agrees.

export type Arm = "treated" | "control";

/**
 * FNV-1a, 32 bits (Fowler, Noll, Vo), over UTF-16 code units as GrowthBook's JavaScript SDK reads them. For text
 * outside ASCII other languages' SDKs may read bytes; the ids that we hash are ASCII.
 */
function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

/** Ten thousand buckets, so a share in basis points is met exactly: 0…9999. */
const tenThousandth = (seed: string, unit: string): number =>
  fnv1a32(String(fnv1a32(seed + unit))) % 10_000;

/**
 * GrowthBook's place of a unit in [0, 1). Version 2 is unbiased between experiments; version 1 is kept for
 * experiments that were begun with it. An unknown version is null, and whoever asks leaves the unit out.
 */
export function bucketOf(seed: string, unit: string, version: number): number | null {
  if (version === 2) return tenThousandth(seed, unit) / 10_000;
  if (version === 1) return (fnv1a32(unit + seed) % 1000) / 1000;
  return null;
}

/**
 * The unit's arm. Control is variation 0 and lies at the bottom, as in GrowthBook with weights [control, treated]:
 * when the treated share is raised, nobody who was treated is held out.
 */
export function arm(
  seed: string,
  unit: string,
  { treatedShareBp }: { treatedShareBp: number },
): Arm {
  if (!Number.isInteger(treatedShareBp) || treatedShareBp < 0 || treatedShareBp > 10_000)
    throw new RangeError(
      `treatedShareBp must be a whole number from 0 to 10000: ${treatedShareBp}`,
    );
  return tenThousandth(seed, unit) < 10_000 - treatedShareBp ? "control" : "treated";
}
