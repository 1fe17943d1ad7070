import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, type Answer } from "../ui/call.ts";
import { Choice } from "../ui/form.tsx";
import { wordFor } from "../ui/marks.tsx";
import { Page } from "../ui/page.tsx";
import { PeopleList } from "../ui/people.tsx";
import type { Column } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

type Answered = Answer<typeof api.journeys.programmePeople>;
type Row = Answered["people"][number];
const rowsOf = (answer: Answered) => answer.people;
const nodes = ["waiting", "sent", "no_budget", "no_coupon", "held_out"] as const;
const verdicts = [
  "waiting",
  "ready",
  "sending",
  "sent",
  "preview",
  "failed",
  "suppressed",
] as const;
const oneOf = <const T extends string>(
  value: string | undefined,
  all: readonly T[],
): T | undefined => all.find((one) => one === value);

export function ProgrammePeople() {
  const { t } = useWords();
  const format = useFormat();
  const navigate = useNavigate();
  const { programme } = useParams({ from: "/inside/programmes/$programme/people" });
  const search = useSearch({ from: "/inside/programmes/$programme/people" });
  const input = {
    programme,
    run: search.run,
    arm: oneOf(search.arm, ["treated", "control"]),
    returned: oneOf(search.returned, ["true", "false"]),
    node: oneOf(search.node, nodes),
    crossed: oneOf(search.crossed, ["true"]),
    coupon: oneOf(search.coupon, ["issued", "redeemed"]),
    channel: search.channel,
    verdict: oneOf(search.verdict, verdicts),
  };
  const set = (change: { [K in keyof typeof search]?: string }) =>
    void navigate({
      to: "/programmes/$programme/people",
      params: { programme },
      search: { ...search, ...change },
      replace: true,
    });
  const columns = useMemo<Column<Row>[]>(
    () => [
      { id: "arm", width: "m", header: t.result.arm, cell: ({ arm }) => t.armsOf[arm] },
      { id: "node", width: "s", header: t.state, cell: ({ node }) => t.nodes[node] },
      {
        id: "messages",
        width: "l",
        header: t.member.messages,
        cell: ({ messages }) =>
          messages
            .map(
              ({ channel, verdict }) =>
                `${wordFor(t.channels, channel)}: ${wordFor(t.messageStates, verdict)}`,
            )
            .join(" · ") || t.none,
      },
      {
        id: "returned",
        header: t.result.returned,
        cell: ({ returned }) => (returned === null ? t.result.open : returned ? t.yes : t.no),
      },
      {
        id: "revenue",
        header: t.today.revenue,
        cell: ({ revenueMinor }) => (revenueMinor === null ? t.none : format.money(revenueMinor)),
        numeric: true,
      },
      {
        id: "trace",
        width: "s",
        header: t.nav.trace,
        cell: ({ personId }) => (
          <Link to="/members/$person/trace" params={{ person: personId }} preload={false}>
            {t.trace.walk}
          </Link>
        ),
      },
    ],
    [t, format],
  );
  const any = { value: "", label: t.any };
  const back = (
    <Link
      to="/programmes/$programme"
      params={{ programme }}
      search={search.run ? { run: search.run } : {}}
    >
      {t.programme.backToOne}
    </Link>
  );
  return (
    <Page title={t.programme.people} says={back}>
      <div className="filters">
        <Choice
          label={t.result.arm}
          value={input.arm ?? ""}
          onChange={(arm) => set({ arm })}
          options={[
            any,
            { value: "treated", label: t.armsOf.treated },
            { value: "control", label: t.armsOf.control },
          ]}
        />
        <Choice
          label={t.result.returned}
          value={input.returned ?? ""}
          onChange={(returned) => set({ returned })}
          options={[any, { value: "true", label: t.yes }, { value: "false", label: t.no }]}
        />
        <Choice
          label={t.state}
          value={input.node ?? ""}
          onChange={(node) => set({ node })}
          options={[any, ...nodes.map((node) => ({ value: node, label: t.nodes[node] }))]}
        />
        {(input.crossed || input.coupon || input.channel || input.verdict) && (
          <button
            type="button"
            onClick={() => set({ crossed: "", coupon: "", channel: "", verdict: "" })}
            className="chip"
          >
            {[
              input.crossed && t.result.crossed,
              input.coupon && t.couponStates[input.coupon],
              input.channel && wordFor(t.channels, input.channel),
              input.verdict && wordFor(t.messageStates, input.verdict),
            ]
              .filter(Boolean)
              .join(" · ")}{" "}
            <span aria-hidden="true">✕</span>
            <span className="unseen">{t.list.clear}</span>
          </button>
        )}
      </div>
      <PeopleList
        to={api.journeys.programmePeople}
        input={input}
        rowsOf={rowsOf}
        columns={columns}
        caption={t.programme.people}
        empty={{ says: t.list.nobody, action: back }}
      />
    </Page>
  );
}
