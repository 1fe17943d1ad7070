import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { StageMark, wordFor } from "../ui/marks.tsx";
import { At, Broken, Page, Part, Wait } from "../ui/page.tsx";
import { Relations } from "../relations/relations.tsx";
import { houseQuery, useCall, useMay, useSelf } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Bought, Messages, Coupons, Consents } from "./member-parts.tsx";
import { Claims } from "./claims.tsx";
import { Identity } from "./identity.tsx";
import { rfmSegmentName } from "./names.ts";

const Erase = lazy(() => import("./erase.tsx"));
const TagByHand = lazy(() => import("./tag-by-hand.tsx"));

type Shown = Answer<typeof api.people.show>;
type Attribute = Shown["attributes"][number];
type Tag = Shown["tags"][number];

export function Member() {
  const { t } = useWords();
  const may = useMay();
  const self = useSelf();
  const { person } = useParams({ from: "/inside/members/$person" });
  const { data, error, refetch } = useCall(api.people.show, { person });
  const messages = useCall(api.messages.ofMember, { person });
  const [erasing, setErasing] = useState(false);
  if (error)
    return (
      <Page title={t.member.one} says={<Link to="/members">{t.member.back}</Link>}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  return (
    <Page
      title={data ? t.member.title(data.userId ?? person.slice(0, 8)) : <Wait width={8} />}
      says={<Link to="/members">{t.member.back}</Link>}
      actions={
        <>
          {may("trace:read") && (
            <Link to="/members/$person/trace" params={{ person }} className="button">
              {t.member.trace}
            </Link>
          )}
          {may("members:erase") && data && (
            <button type="button" className="danger" onClick={() => setErasing(true)}>
              {t.member.erase}
            </button>
          )}
        </>
      }
    >
      {erasing && data && (
        <Suspense>
          <Erase
            person={person}
            number={data.userId ?? person.slice(0, 8)}
            close={() => setErasing(false)}
          />
        </Suspense>
      )}
      <div className="columns columns-member">
        <div>
          <Tags person={person} tags={data?.tags} />
          <Fields data={data} />
          <Attributes attributes={data?.attributes} />
          <Timeline person={person} />
        </div>
        <div>
          <Bought person={person} />
          <Messages data={messages.data} error={messages.error} />
          <Coupons person={person} />
          <Consents data={messages.data} error={messages.error} />
          <Claims person={person} />
          <Identity person={person} />
          {self?.scope.kind === "all" && <Relations person={person} />}
        </div>
      </div>
    </Page>
  );
}

const levelled = ["price_sensitivity", "brand_loyalty", "share_willingness"];
function Tags({ person, tags }: { person: string; tags: readonly Tag[] | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const may = useMay();
  const house = useQuery(houseQuery).data;
  const [tagging, setTagging] = useState(false);
  const valueOf = ({ tag, value }: Tag) =>
    tag === "lifecycle" ? (
      <StageMark stage={value} />
    ) : tag === "rfm_segment" ? (
      <Link to="/members" search={{ rfmSegment: value }}>
        {said(rfmSegmentName(value))}
      </Link>
    ) : tag === "rfm" ? (
      <Link to="/members" search={{ rfm: value }}>
        {value}
      </Link>
    ) : levelled.includes(tag) ? (
      wordFor(t.levels, value)
    ) : tag === "identifier_conflict" ? (
      value
        .split(",")
        .map((type) => wordFor(t.fields, type))
        .join(" · ")
    ) : (
      value
    );
  return (
    <Part
      title={t.member.tags}
      says={t.member.tagsSay}
      className="reserve-tags grows"
      actions={
        may("segments:write") &&
        tags && (
          <button
            type="button"
            className="plain"
            aria-expanded={tagging}
            onClick={() => setTagging(!tagging)}
          >
            {t.tagPage.byHand}
          </button>
        )
      }
    >
      {tagging && house && (
        <Suspense>
          <TagByHand person={person} now={house.clock.now} done={() => setTagging(false)} />
        </Suspense>
      )}
      {tags?.length === 0 && <p className="quiet">{t.member.noTags}</p>}
      <ul className="rows">
        {tags
          ? tags.map((tag) => (
              <li key={tag.tag} className="tag">
                <div>
                  <strong>
                    {may("traits:read") ? (
                      <Link to="/tags/of/$tag" params={{ tag: tag.tag }}>
                        {tag.label ? said(tag.label) : wordFor(t.tags, tag.tag)}
                      </Link>
                    ) : tag.label ? (
                      said(tag.label)
                    ) : (
                      wordFor(t.tags, tag.tag)
                    )}
                  </strong>{" "}
                  {valueOf(tag)}
                  <p>{said(tag.sentence)}</p>
                  <small>
                    {t.kinds[tag.kind]} · {wordFor(t.sources, tag.source)} · <At at={tag.at} /> ·{" "}
                    {t.member.confidence(format.part(tag.confidence))}
                    {tag.expiresAt && (
                      <>
                        {" · "}
                        {t.member.tagUntil}
                        <At at={tag.expiresAt} />
                      </>
                    )}
                  </small>
                </div>
                {tag.cause && (
                  <Link to="/trace" search={{ event: tag.cause }} preload={false}>
                    {t.trace.walk}
                  </Link>
                )}
              </li>
            ))
          : Array.from({ length: 3 }, (_, row) => (
              <li key={row} className="tag">
                <div>
                  <Wait width={8} />
                  <p>
                    <Wait width={32} />
                  </p>
                  <small>
                    <Wait width={16} />
                  </small>
                </div>
              </li>
            ))}
      </ul>
    </Part>
  );
}

/** Name, addresses and the like: masked unless one may search by them. */
function Fields({ data }: { data: Shown | undefined }) {
  const { t } = useWords();
  const all = data && [
    ...data.identifiers.map(({ type, ...rest }) => ({ name: type, ...rest })),
    ...data.fields.map(({ field, ...rest }) => ({ name: field, ...rest })),
  ];
  // An e-mail is an identifier and a field: the same one is said once.
  const rows = all?.filter(
    ({ name, value }, index) =>
      all.findIndex((one) => one.name === name && one.value === value) === index,
  );
  return (
    <Part title={t.member.fields} says={t.member.fieldsSay} className="reserve-fields grows">
      <dl className="facts">
        {rows?.map(({ name, value, masked, source }) => (
          <div key={name + value}>
            <dt>{wordFor(t.fields, name)}</dt>
            <dd>
              {value}
              {masked && <span className="unseen"> {t.member.masked}</span>}{" "}
              <small className="beside">{wordFor(t.sources, source)}</small>
            </dd>
          </div>
        ))}
      </dl>
    </Part>
  );
}

type Preference = { category: string; share: number; times: number; bought: number; own: boolean };
/** What somebody is drawn to, with what it is made of. */
function Preferences({ of }: { of: readonly Preference[] }) {
  const { t } = useWords();
  const format = useFormat();
  return (
    <ul className="plain-list">
      {of.map(({ category, share, times, bought, own }) => (
        <li key={category}>
          {category} {own ? t.member.ownWord : format.part(share)}
          {times > 0 && (
            <small> {t.member.preference(format.number(times), format.number(bought))}</small>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Money by its name, days by their look, the rest as it is. */
function Value({ name, value }: Pick<Attribute, "name" | "value">) {
  const { t } = useWords();
  const format = useFormat();
  if (value === null || value === undefined) return t.none;
  if (name.endsWith("_minor") && /^-?\d+$/.test(String(value))) return format.money(String(value));
  if (/_chance_|^p_alive$/.test(name) && typeof value === "number") return format.part(value);
  if (typeof value === "number") return format.decimal(value);
  if (name === "last_event")
    return (
      <Link to="/trace" search={{ event: String(value) }} preload={false}>
        {t.trace.walk}
      </Link>
    );
  if (typeof value === "boolean") return value ? t.yes : t.no;
  if (name === "category_preference" && Array.isArray(value))
    return <Preferences of={value as Preference[]} />;
  if (Array.isArray(value)) return value.map(String).join(", ");
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value)) return <At at={value} />;
  if (typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value)) return format.day(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Attributes({ attributes }: { attributes: readonly Attribute[] | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  return (
    <Part title={t.member.attributes} className="reserve-attributes grows">
      <div className="scroller" role="region" aria-label={t.member.attributes} tabIndex={0}>
        <table className="profile">
          <thead>
            <tr>
              <th scope="col">{t.member.attribute}</th>
              <th scope="col">{t.member.value}</th>
              <th scope="col">{t.member.source}</th>
            </tr>
          </thead>
          <tbody>
            {attributes
              ? attributes.map(({ name, label, value, choice, source, at, confidence, trait }) => (
                  <tr key={name}>
                    <th scope="row">
                      {trait
                        ? said(trait.label)
                        : label
                          ? said(label)
                          : wordFor(t.attributes, name)}
                    </th>
                    <td>
                      {choice ? said(choice) : <Value name={name} value={value} />} {trait?.unit}
                      {trait && <small>{said(trait.how)}</small>}
                    </td>
                    <td title={format.at(at)}>
                      {trait ? t.sources["trait"] : wordFor(t.sources, source)}
                      <small>
                        {t.member.confidence(format.part(confidence))} · <At at={at} day />
                      </small>
                    </td>
                  </tr>
                ))
              : Array.from({ length: 12 }, (_, row) => (
                  <tr key={row}>
                    <td colSpan={3}>
                      <Wait width={32} />
                    </td>
                  </tr>
                ))}
          </tbody>
        </table>
      </div>
    </Part>
  );
}

function Timeline({ person }: { person: string }) {
  const { t } = useWords();
  const said = useSaid();
  const list = useInfiniteQuery({
    queryKey: [api.people.timeline.path, person],
    queryFn: ({ pageParam, signal }) =>
      call(api.people.timeline, pageParam ? { person, after: pageParam } : { person }, { signal }),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
  const entries = list.data?.pages.flatMap((page) => page.entries);
  return (
    <Part title={t.member.timeline}>
      {list.error && <Broken error={list.error} again={list.refetch} />}
      {entries?.length === 0 && <p className="quiet">{t.member.noTimeline}</p>}
      <ol className="timeline">
        {entries?.map((entry) => (
          <li key={entry.id}>
            <p className="step-kind">
              <strong>{wordFor(t.timelineKinds, entry.kind)}</strong> <At at={entry.at} />
            </p>
            <p>
              {said(entry.sentence)}{" "}
              {entry.event && (
                <Link to="/trace" search={{ event: entry.event }} preload={false}>
                  {t.trace.walk}
                </Link>
              )}
            </p>
          </li>
        ))}
      </ol>
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
    </Part>
  );
}
