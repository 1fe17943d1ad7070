import { useState } from "react";
import { api } from "../ui/call.ts";
import { anyDay, Choice, Held } from "../ui/form.tsx";
import { Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { useSaid, useWords } from "../ui/words.tsx";
import { formats, outKinds, purposes } from "../../../src/exchange/model/kinds.ts";

const dayAfter = (day: string): string =>
  new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);

/** What the shop has, as a file: streamed, with a purpose that stands in the audit. */
export function ExportsPage() {
  const { t } = useWords();
  const said = useSaid();
  const may = useMay();
  const [kind, setKind] = useState<(typeof outKinds)[number]>("orders");
  const [format, setFormat] = useState<(typeof formats)[number]>("csv");
  const [purpose, setPurpose] = useState<(typeof purposes)[number] | "">("");
  const [segment, setSegment] = useState("");
  const segments = useCall(api.segments.list, may("segments:read") ? {} : undefined).data?.segments;
  const [from, setFrom] = useState("");
  const [last, setLast] = useState("");
  const w = t.exportPage;
  const isTimed = kind === "orders" || kind === "events";
  const isBackwards = isTimed && from !== "" && last !== "" && last < from;
  const chosen = kind === "segment" ? segment || (segments?.[0]?.id ?? "") : "";
  const isReady = purpose !== "" && !isBackwards && (kind !== "segment" || chosen !== "");
  const query = new URLSearchParams({
    ...{ format, purpose },
    ...(chosen ? { segment: chosen } : {}),
    ...(isTimed && from ? { from } : {}),
    // What is asked for ends before an instant: the last day is in it.
    ...(isTimed && last ? { until: dayAfter(last) } : {}),
  });
  return (
    <Page title={t.nav.exports} says={w.says}>
      <Part title={w.title} says={may("members:find") ? w.withNames : w.withoutNames}>
        <div className="form">
          <Choice
            label={w.kind}
            value={kind}
            options={outKinds.map((value) => ({
              value,
              label: value === "segment" ? w.segment : t.importPage.kinds[value],
            }))}
            onChange={(to) => setKind(to as "orders")}
          />
          {kind === "segment" && (
            <Choice
              label={t.nav.segments}
              value={chosen}
              options={(segments ?? []).map(({ id, name }) => ({ value: id, label: said(name) }))}
              onChange={setSegment}
            />
          )}
          {isTimed && (
            <>
              <Held {...anyDay} label={w.from} value={from} onChange={setFrom} />
              <Held {...anyDay} label={w.last} value={last} onChange={setLast} />
              <p className={isBackwards ? "wrong" : "hint"}>
                {isBackwards ? w.backwards : w.daysSay}
              </p>
            </>
          )}
          <Choice
            label={w.format}
            value={format}
            options={formats.map((value) => ({ value, label: w.formats[value] }))}
            onChange={(to) => setFormat(to as "csv")}
          />
          <Choice
            label={w.purpose}
            value={purpose}
            options={[
              ...(purpose === "" ? [{ value: "", label: w.choosePurpose }] : []),
              ...purposes.map((value) => ({ value, label: w.purposes[value] })),
            ]}
            onChange={(to) => setPurpose(to as "service")}
          />
          {isReady ? (
            <a className="button primary" href={`/v1/exports/${kind}?${query}`} download>
              {w.download}
            </a>
          ) : (
            <p className="hint">{w.notYet}</p>
          )}
        </div>
      </Part>
    </Page>
  );
}
