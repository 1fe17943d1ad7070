import type { UseQueryResult } from "@tanstack/react-query";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Copy } from "../ui/copy.tsx";
import { Choice, Field, Form } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Standing } from "./standing.tsx";

type List = Answer<typeof api.feeds.list>;
type Webhook = List["webhooks"][number];

/** Who is told what happened, and how that fares. */
export function Webhooks() {
  const { t } = useWords();
  const may = useMay();
  const list = useCall(api.feeds.list, {}, { refetchMs: 15_000 });
  return (
    <Page title={t.nav.webhooks} says={t.hooks.says}>
      {/* Below a table of unknown height nothing stands until its height is known. */}
      <All list={list} />
      {!list.isPending && may("webhooks:write") && <Make feed={list.data?.feed} />}
    </Page>
  );
}

function All({ list: { data, error, refetch } }: { list: UseQueryResult<List> }) {
  const { t } = useWords();
  const format = useFormat();
  return (
    <Part title={t.hooks.all}>
      {error ? (
        <Broken error={error} again={refetch} />
      ) : data?.webhooks.length === 0 ? (
        <Empty says={t.hooks.empty} />
      ) : (
        <DataTable<Webhook>
          caption={t.hooks.all}
          rows={data?.webhooks}
          keyOf={({ id }) => id}
          expect={2}
          columns={[
            {
              id: "name",
              header: t.hooks.name,
              names: true,
              cell: ({ id, name }) => (
                <Link to="/webhooks/$webhook" params={{ webhook: id }}>
                  {name}
                </Link>
              ),
            },
            {
              id: "url",
              width: "xl",
              header: t.hooks.url,
              cell: ({ url }) => <code>{url}</code>,
            },
            { id: "state", width: "l", header: t.state, cell: (hook) => <Standing of={hook} /> },
            {
              id: "taken",
              header: t.hooks.taken,
              cell: ({ takenAt }) => (takenAt ? <At at={takenAt} /> : t.hooks.never),
            },
            {
              id: "waiting",
              header: t.hooks.waiting,
              numeric: true,
              cell: ({ waiting }) => format.number(waiting),
            },
            {
              id: "failed",
              header: t.hooks.failed,
              numeric: true,
              cell: ({ id, failed }) => (
                <Link to="/webhooks/$webhook" params={{ webhook: id }} search={{ state: "failed" }}>
                  {format.number(failed)}
                </Link>
              ),
            },
          ]}
        />
      )}
    </Part>
  );
}

const everybody = "";
function Make({ feed }: { feed: List["feed"] | undefined }) {
  const { t } = useWords();
  const said = useSaid();
  const may = useMay();
  const queries = useQueryClient();
  const [made, setMade] = useState<{ secret: string; publicKey: string | null } | null>(null);
  const types = useCall(api.feeds.eventTypes, {}).data?.types;
  const segments = useCall(api.segments.list, may("segments:read") ? {} : undefined).data?.segments;
  // As high as it will be, or not there yet.
  if (!types) return null;
  return (
    <>
      <Part title={t.hooks.make} says={t.hooks.makeSays}>
        <Form
          className="form wide"
          button={t.hooks.makeButton}
          act={async (values, key) => {
            const { name = "", url = "", segment = "", format, signature } = values;
            const answer = await call(
              api.feeds.make,
              {
                name,
                url,
                types: types.flatMap(({ type }) => (values[type] === undefined ? [] : [type])),
                segment: segment || null,
                format: format as "webhook",
                signature: signature as "v1",
              },
              { key },
            );
            setMade(answer);
            await queries.invalidateQueries();
          }}
        >
          <Field label={t.hooks.name} name="name" required maxLength={100} />
          <Field
            label={t.hooks.url}
            name="url"
            required
            maxLength={2048}
            placeholder="https://"
            hint={t.hooks.urlSays}
          />
          <fieldset className="checks">
            <legend>{t.hooks.types}</legend>
            {types.map(({ type, says }) => (
              <label key={type}>
                <input type="checkbox" name={type} />
                <span>
                  {said(says)} <code>{type}</code>
                </span>
              </label>
            ))}
          </fieldset>
          <Choice
            label={t.hooks.about}
            name="segment"
            value={everybody}
            options={[
              { value: everybody, label: t.hooks.everybody },
              ...(segments ?? []).map(({ id, name }) => ({ value: id, label: said(name) })),
            ]}
          />
          <Choice
            label={t.hooks.format}
            name="format"
            value="webhook"
            options={(["webhook", "structured", "binary"] as const).map((value) => ({
              value,
              label: t.hooks.formats[value],
            }))}
          />
          <Choice
            label={t.hooks.signature}
            name="signature"
            value="v1"
            options={(["v1", "v1a"] as const).map((value) => ({
              value,
              label: t.hooks.signatures[value],
            }))}
          />
        </Form>
        {made && <Secret made={made} />}
      </Part>
      {feed && <Feed kept={feed.kept} />}
    </>
  );
}

/** Shown once. Of a key pair the receiver needs the public half only. */
export function Secret({
  made: { secret, publicKey },
}: {
  made: { secret: string; publicKey: string | null };
}) {
  const { t } = useWords();
  return (
    <div className="secret">
      <p role="status">{publicKey ? t.hooks.publicSays : t.hooks.once}</p>
      <Copy text={publicKey ?? secret} />
    </div>
  );
}

function Feed({ kept }: { kept: boolean }) {
  const { t } = useWords();
  const queries = useQueryClient();
  return (
    <Part title={t.hooks.feed} says={t.hooks.feedSays}>
      <p>{kept ? t.hooks.feedOn : t.hooks.feedOff}</p>
      {kept && (
        <Copy
          lines
          text={`curl '${location.origin}/v1/feed?wait=25' \\\n  -H 'authorization: Bearer lk_…'`}
        />
      )}
      <Form
        button={kept ? t.hooks.turnFeedOff : t.hooks.turnFeedOn}
        act={async (_, key) => {
          await call(api.feeds.keepFeed, { kept: !kept }, { key });
          await queries.invalidateQueries();
        }}
      >
        {null}
      </Form>
    </Part>
  );
}
