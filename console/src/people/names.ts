import { segmentNames } from "../../../src/predict/model/names.ts";

/** Named RFM segments in the order in which a shop reads them; the server says the same names. */
export const rfmSegments = Object.entries(segmentNames);
export const rfmSegmentName = (code: string): { zh: string; en: string } =>
  (segmentNames as Record<string, { zh: string; en: string }>)[code] ?? { zh: code, en: code };
