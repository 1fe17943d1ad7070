import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { At } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { typed } from "./refused-one.tsx";
import { asked, type Filter } from "./refused.tsx";

type Mending = Answer<typeof api.exchange.mendings>["mendings"][number];
const acts = ["none", "set", "rename", "remove"] as const;
type Act = (typeof acts)[number];

/** All that is listed, mended alike: tried first, then done with its progress. */
export function MendMany({ filter, total }: { filter: Filter; total: number }) {
  const { t } = useWords();
  const format = useFormat();
  const queries = useQueryClient();
  const [act, setAct] = useState<Act>("set");
  const w = t.refusedPage;
  return (
    <>
      {total > 0 && (
        <Form
          className="form row"
          button={w.tryAll(format.number(total))}
          act={async ({ field = "", value = "", to = "" }, key) => {
            const change =
              act === "set"
                ? ({ do: "set", field, value: typed(value, undefined) } as const)
                : act === "rename"
                  ? ({ do: "rename", field, to } as const)
                  : ({ do: "remove", field } as const);
            const changes = act === "none" ? [] : [change];
            await call(api.exchange.askMending, { filter: asked(filter), changes }, { key });
            await queries.invalidateQueries({ queryKey: [api.exchange.mendings.path] });
          }}
        >
          <Choice
            label={w.how}
            value={act}
            options={acts.map((value) => ({ value, label: w.acts[value] }))}
            onChange={(to) => setAct(to as Act)}
          />
          {act !== "none" && (
            <Field
              label={t.sourcePage.field}
              name="field"
              required
              maxLength={300}
              placeholder="properties.currency"
            />
          )}
          {act === "set" && (
            <Field label={w.value} name="value" maxLength={2000} placeholder="CNY" />
          )}
          {act === "rename" && <Field label={w.newName} name="to" required maxLength={300} />}
        </Form>
      )}
      <Mendings />
    </>
  );
}

function Mendings() {
  const { t } = useWords();
  const w = t.refusedPage;
  const format = useFormat();
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const list = useCall(api.exchange.mendings, {}, { refetchMs: 2000 }).data?.mendings;
  const move = async (mending: string, to: "working" | "stopped") => {
    if (isBusy) return;
    setBusy(true);
    try {
      await call(api.exchange.moveMending, { mending, to });
    } finally {
      setBusy(false);
      await queries.invalidateQueries();
    }
  };
  // What was sent is in the list no more.
  const done = list?.reduce((sum, one) => sum + (one.stage === "trying" ? 0 : one.done), 0);
  useEffect(() => {
    if (done !== undefined)
      void queries.invalidateQueries({ queryKey: [api.collect.rejected.path] });
  }, [done, queries]);
  if (!list || list.length === 0) return null;
  return (
    <ul className="rows mendings">
      {list.slice(0, 10).map((one) => (
        <li key={one.id}>
          <div>
            <p>
              <strong>{w.stages[one.stage]}</strong> <Changes of={one} />{" "}
              <small>
                <At at={one.askedAt} />
              </small>
            </p>
            {(one.stage === "trying" || one.stage === "working") && (
              <progress
                max={Math.max(one.total, 1)}
                value={one.done}
                aria-label={w.stages[one.stage]}
              />
            )}
            <p>
              {w.outcome(
                format.number(one.done),
                format.number(one.total),
                format.number(one.accepted),
                format.number(one.refused),
              )}
              {one.doubles > 0 && ` ${w.doubles(format.number(one.doubles))}`}
            </p>
            {one.reasons.slice(0, 5).map(({ reason, field, count }) => (
              <p key={`${reason} ${field}`} className="quiet">
                {t.named(t.rejections[reason] ?? t.rejectionUnknown, format.number(count))}{" "}
                {field && <code>{field}</code>}
              </p>
            ))}
          </div>
          <div className="actions">
            {one.stage === "tried" && one.accepted + one.doubles > 0 && (
              <button
                type="button"
                className="primary"
                aria-disabled={isBusy}
                onClick={() => void move(one.id, "working")}
              >
                {w.begin(format.number(one.accepted + one.doubles))}
              </button>
            )}
            {one.stage !== "done" && one.stage !== "stopped" && (
              <button
                type="button"
                aria-disabled={isBusy}
                onClick={() => void move(one.id, "stopped")}
              >
                {one.stage === "tried" ? w.leave : w.stop}
              </button>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
function Changes({ of }: { of: Mending }) {
  const { t } = useWords();
  const w = t.refusedPage;
  if (of.changes.length === 0) return <span>{w.unchanged}</span>;
  return of.changes.map((change) => (
    <span key={JSON.stringify(change)}>
      {change.do === "set"
        ? w.setTo(change.field, String(change.value))
        : change.do === "rename"
          ? w.renamed(change.field, change.to)
          : w.removed(change.field)}
    </span>
  ));
}
