import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { Field } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Wait } from "../ui/page.tsx";
import { Person } from "../ui/people.tsx";
import { useCall } from "../ui/session.tsx";
import { useSaid, useWords } from "../ui/words.tsx";

type Walk = Answer<typeof api.insights.traceEvent>;
type Step = Walk["steps"][number];
const isId = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

/** From any event: the address holds its id. */
export function Trace() {
  const { t } = useWords();
  const navigate = useNavigate();
  const { event = "" } = useSearch({ from: "/inside/trace" });
  const walk = useCall(api.insights.traceEvent, isId(event) ? { event } : undefined);
  return (
    <Page title={t.nav.trace} says={t.trace.says}>
      <form
        className="filters"
        role="search"
        onSubmit={(submitted) => {
          submitted.preventDefault();
          const asked = String(new FormData(submitted.currentTarget).get("event")).trim();
          void navigate({ to: "/trace", search: { event: asked } });
        }}
      >
        <Field
          key={event}
          label={t.trace.event}
          name="event"
          type="search"
          defaultValue={event}
          placeholder="00000000-0000-0000-0000-000000000000"
          wrong={event !== "" && !isId(event) ? t.trace.noId : undefined}
        />
        <button type="submit">{t.trace.walk}</button>
      </form>
      {isId(event) ? (
        <WalkOf data={walk.data} error={walk.error} again={walk.refetch} />
      ) : (
        <Empty says={t.trace.empty}>
          <Link to="/members" className="button">
            {t.nav.members}
          </Link>
        </Empty>
      )}
    </Page>
  );
}

/** The latest act of one member, from the event behind it to the decision after it. */
export function MemberTrace() {
  const { t } = useWords();
  const { person } = useParams({ from: "/inside/members/$person/trace" });
  const walk = useCall(api.insights.traceMember, { person });
  return (
    <Page
      title={t.trace.ofMember}
      says={
        <Link to="/members/$person" params={{ person }}>
          {t.trace.backTo(walk.data?.userId ?? "…")}
        </Link>
      }
    >
      <WalkOf data={walk.data} error={walk.error} again={walk.refetch} />
    </Page>
  );
}

function WalkOf({
  data,
  error,
  again,
}: {
  data: Walk | undefined;
  error: unknown;
  again: () => unknown;
}) {
  const { t } = useWords();
  if (error) return <Broken error={error} again={again} />;
  if (data?.steps.length === 0)
    return (
      <Empty says={t.trace.nothing}>
        <Link to="/programmes" className="button">
          {t.nav.programmes}
        </Link>
      </Empty>
    );
  return (
    <>
      <p className="count">
        {data?.personId ? (
          <>
            {t.trace.of} <Person personId={data.personId} userId={data.userId} />
          </>
        ) : (
          "\u00a0"
        )}
      </p>
      <ol className="walk">
        {data
          ? data.steps.map((step) => <StepOf key={step.id} step={step} steps={data.steps} />)
          : Array.from({ length: 6 }, (_, row) => (
              <li key={row} className="step" aria-hidden="true">
                <Wait width={32} />
              </li>
            ))}
      </ol>
    </>
  );
}

function StepOf({ step, steps }: { step: Step; steps: readonly Step[] }) {
  const { t } = useWords();
  const said = useSaid();
  const from = steps.find(({ id }) => id === step.from);
  const figures = Object.entries(step.data);
  return (
    <li className={`step step-${step.kind}`} id={`step-${step.id}`}>
      <p className="step-kind">
        <strong>{t.steps[step.kind]}</strong> <At at={step.at} />
      </p>
      <p className="step-says">{said(step.sentence)}</p>
      <p className="step-ids">
        <code>{step.id}</code>
        {from && (
          <>
            {" "}
            ← {t.trace.cameFrom} <a href={`#step-${from.id}`}>{t.steps[from.kind]}</a>
          </>
        )}
      </p>
      {figures.length > 0 && (
        <details>
          <summary>{t.trace.figures}</summary>
          <dl className="facts">
            {figures.map(([name, value]) => (
              <div key={name}>
                <dt>
                  <code>{name}</code>
                </dt>
                <dd>
                  <code>{typeof value === "string" ? value : JSON.stringify(value)}</code>
                </dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </li>
  );
}
