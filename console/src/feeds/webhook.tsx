import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Standing } from "./standing.tsx";
import { Secret } from "./webhooks.tsx";

type Webhook = Answer<typeof api.feeds.list>["webhooks"][number];
type Delivery = Answer<typeof api.feeds.deliveries>["deliveries"][number];
const states = ["waiting", "taken", "failed"] as const;
const stateOf = (text: string | undefined) => states.find((one) => one === text);

/** One webhook: what it hears, what can be done with it, and every message of the last thirty days. */
export function WebhookPage() {
  const { t } = useWords();
  const { webhook } = useParams({ from: "/inside/webhooks/$webhook" });
  const list = useCall(api.feeds.list, {}, { refetchMs: 15_000 });
  const hook = list.data?.webhooks.find(({ id }) => id === webhook);
  return (
    <Page title={hook?.name ?? t.nav.webhooks} says={<Link to="/webhooks">{t.hooks.back}</Link>}>
      {list.error ? (
        <Broken error={list.error} again={list.refetch} />
      ) : list.data && !hook ? (
        <Empty says={t.hooks.gone} />
      ) : (
        hook && (
          <>
            <About hook={hook} />
            <Deliveries hook={hook} />
          </>
        )
      )}
    </Page>
  );
}

function About({ hook }: { hook: Webhook }) {
  const { t } = useWords();
  const said = useSaid();
  const may = useMay();
  const types = useCall(api.feeds.eventTypes, {}).data?.types;
  const names = hook.types.map((type) => {
    const known = types?.find((one) => one.type === type);
    return known ? said(known.says) : type;
  });
  return (
    <Part title={t.hooks.about_}>
      <dl className="facts">
        <div>
          <dt>{t.state}</dt>
          <dd>
            <Standing of={hook} />
          </dd>
        </div>
        <div>
          <dt>{t.hooks.url}</dt>
          <dd>
            <code>{hook.url}</code>
          </dd>
        </div>
        <div>
          <dt>{t.hooks.types}</dt>
          <dd>{names.join(t.hooks.between)}</dd>
        </div>
        <div>
          <dt>{t.hooks.format}</dt>
          <dd>{t.hooks.formats[hook.format]}</dd>
        </div>
        <div>
          <dt>{t.hooks.signature}</dt>
          <dd>
            {t.hooks.signatures[hook.signature]}
            {hook.publicKey && (
              <>
                {" "}
                <code>{hook.publicKey}</code>
              </>
            )}
            {hook.oldSecretUntil && (
              <>
                {" "}
                {t.hooks.oldUntil} <At at={hook.oldSecretUntil} />
              </>
            )}
          </dd>
        </div>
      </dl>
      {may("webhooks:write") && <Acts hook={hook} />}
    </Part>
  );
}

/** What cannot be taken back asks once more, in place. */
function Acts({ hook: { id, state, failed } }: { hook: Webhook }) {
  const { t } = useWords();
  const format = useFormat();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [sure, setSure] = useState<"rotate" | "remove" | null>(null);
  const [wrong, setWrong] = useState<unknown>(null);
  const [says, setSays] = useState("");
  const [made, setMade] = useState<{ secret: string; publicKey: string | null } | null>(null);
  const webhook = id;
  const act = async (work: () => Promise<unknown>, done = "") => {
    setSure(null);
    setWrong(null);
    setSays("");
    try {
      await work();
      setSays(done);
    } catch (thrown) {
      setWrong(thrown);
    }
    await queries.invalidateQueries();
  };
  const asking = (what: "rotate" | "remove", label: string, sureLabel: string, run: () => void) =>
    sure === what ? (
      <button
        type="button"
        className="danger"
        onBlur={() => setSure(null)}
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- it stands where the focus was
        autoFocus
        onClick={run}
      >
        {sureLabel}
      </button>
    ) : (
      <button type="button" onClick={() => setSure(what)}>
        {label}
      </button>
    );
  const month = () => new Date(Date.now() - 30 * 86_400_000).toISOString();
  return (
    <>
      <div className="actions">
        {state === "on" ? (
          <>
            <button
              type="button"
              onClick={() => void act(() => call(api.feeds.test, { webhook }), t.hooks.tested)}
            >
              {t.hooks.test}
            </button>
            {failed > 0 && (
              <button
                type="button"
                onClick={() =>
                  void act(
                    () => call(api.feeds.replayFailed, { webhook, since: month() }),
                    t.hooks.replayed,
                  )
                }
              >
                {t.hooks.replayFailed(format.number(failed))}
              </button>
            )}
            <button
              type="button"
              onClick={() => void act(() => call(api.feeds.change, { webhook, on: false }))}
            >
              {t.hooks.turnOff}
            </button>
          </>
        ) : (
          <button
            type="button"
            className="primary"
            onClick={() => void act(() => call(api.feeds.change, { webhook, on: true }))}
          >
            {t.hooks.turnOn}
          </button>
        )}
        {asking(
          "rotate",
          t.hooks.rotate,
          t.hooks.rotateSure,
          () => void act(() => call(api.feeds.rotate, { webhook }).then(setMade)),
        )}
        {asking(
          "remove",
          t.hooks.remove,
          t.hooks.removeSure,
          () =>
            void act(() =>
              call(api.feeds.remove, { webhook }).then(() => navigate({ to: "/webhooks" })),
            ),
        )}
      </div>
      <p role="status">{says}</p>
      {wrong !== null && <Broken error={wrong} />}
      {made && <Secret made={made} />}
    </>
  );
}

function Deliveries({ hook }: { hook: Webhook }) {
  const { t } = useWords();
  const said = useSaid();
  const format = useFormat();
  const navigate = useNavigate();
  const webhook = hook.id;
  const state = stateOf(useSearch({ from: "/inside/webhooks/$webhook" }).state);
  const types = useCall(api.feeds.eventTypes, {}).data?.types;
  const list = useInfiniteQuery({
    queryKey: [api.feeds.deliveries.path, webhook, state],
    queryFn: ({ pageParam, signal }) =>
      call(
        api.feeds.deliveries,
        { webhook, ...(state ? { state } : {}), ...(pageParam ? { before: pageParam } : {}) },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    refetchInterval: 15_000,
  });
  const rows = useMemo(() => list.data?.pages.flatMap(({ deliveries }) => deliveries), [list.data]);
  const columns = useMemo<Column<Delivery>[]>(
    () => [
      {
        id: "type",
        width: "l",
        header: t.hooks.event,
        names: true,
        cell: ({ type }) => {
          const known = types?.find((one) => one.type === type);
          return known ? said(known.says) : type === "webhook.test" ? t.hooks.testMessage : type;
        },
      },
      { id: "at", header: t.when, cell: ({ at }) => <At at={at} /> },
      {
        id: "state",
        width: "l",
        header: t.state,
        cell: (one) => <StateOf of={one} />,
      },
      {
        id: "ms",
        numeric: true,
        header: t.hooks.took,
        cell: ({ ms }) => (ms === null ? t.none : t.hooks.ms(format.number(ms))),
      },
      {
        id: "attempts",
        numeric: true,
        header: t.hooks.attempts,
        cell: ({ attempts }) => format.number(attempts),
      },
      {
        id: "look",
        width: "l",
        header: t.hooks.content,
        cell: (one) => <Look webhook={webhook} of={one} on={hook.state === "on"} />,
      },
    ],
    [t, said, format, types, webhook, hook.state],
  );
  return (
    <Part title={t.hooks.log} says={t.hooks.logSays}>
      <div className="filters">
        <Choice
          label={t.state}
          value={state ?? ""}
          options={[
            { value: "", label: t.any },
            ...states.map((value) => ({ value, label: t.hooks.states[value] })),
          ]}
          onChange={(value) =>
            void navigate({
              to: "/webhooks/$webhook",
              params: { webhook },
              search: value ? { state: value } : {},
              replace: true,
            })
          }
        />
      </div>
      {list.error ? (
        <Broken error={list.error} again={list.refetch} />
      ) : rows?.length === 0 ? (
        <Empty says={t.hooks.noMessages} />
      ) : (
        <>
          <DataTable
            caption={t.hooks.log}
            rows={rows}
            keyOf={({ event }) => event}
            columns={columns}
          />
          {list.hasNextPage && (
            <button
              type="button"
              className="more"
              onClick={() => {
                if (!list.isFetchingNextPage) void list.fetchNextPage();
              }}
            >
              {list.isFetchingNextPage ? t.busy : t.list.more}
            </button>
          )}
        </>
      )}
    </Part>
  );
}

function StateOf({ of: { state, status, code, nextAt, attempts } }: { of: Delivery }) {
  const { t } = useWords();
  const why = code
    ? (t.hooks.codes[code] ?? code)
    : status !== null
      ? t.hooks.answered(status)
      : "";
  if (state === "waiting" && attempts > 0 && nextAt)
    return (
      <>
        {why && `${why}${t.hooks.between}`}
        {t.hooks.next} <At at={nextAt} />
      </>
    );
  return why ? t.named(t.hooks.states[state], why) : t.hooks.states[state];
}

/** What was sent and what came back, fetched when it is opened. */
function Look({
  webhook,
  of: { event, state },
  on,
}: {
  webhook: string;
  of: Delivery;
  on: boolean;
}) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const one = useCall(api.feeds.delivery, open ? { webhook, event } : undefined);
  const replay = async () => {
    await call(api.feeds.replay, { webhook, event });
    await queries.invalidateQueries();
  };
  return (
    <>
      <details onToggle={(toggled) => setOpen(toggled.currentTarget.open)}>
        <summary>{t.hooks.show}</summary>
        {one.error && <Broken error={one.error} again={one.refetch} />}
        {one.data && (
          <>
            <pre>{one.data.body}</pre>
            {one.data.attempts.map(({ at, status, code, answer, cut }) => (
              <div key={at}>
                <p>
                  <At at={at} />{" "}
                  {code
                    ? (t.hooks.codes[code] ?? code)
                    : status !== null && t.hooks.answered(status)}
                </p>
                {answer && <pre>{cut ? `${answer}…` : answer}</pre>}
              </div>
            ))}
          </>
        )}
      </details>
      {on && state !== "waiting" && may("webhooks:write") && (
        <button type="button" className="small" onClick={() => void replay()}>
          {t.hooks.replay}
        </button>
      )}
    </>
  );
}
