// What the shop asks members about itself: declared here, asked by forms, seen and corrected by each member.
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ownTypes } from "../../../src/traits/rules.ts";
import { Options } from "../forms/options.tsx";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { Broken, Empty, Page, Part, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Remove } from "../ui/remove.tsx";
import { Progress } from "./traits.tsx";

type Own = Answer<typeof api.traits.attributes>["attributes"][number];

export function Attributes() {
  const { t } = useWords();
  const format = useFormat();
  const may = useMay();
  const { data, error, refetch } = useCall(api.traits.attributes, {}, { refetchMs: 3000 });
  const [editing, setEditing] = useState<Own | null>(null);
  return (
    <Page
      title={t.nav.attributes}
      says={t.ownAttributes.says}
      actions={may("forms:read") && <Link to="/forms">{t.nav.forms}</Link>}
    >
      {error && <Broken error={error} again={refetch} />}
      {data?.attributes.length === 0 && <Empty says={t.ownAttributes.empty} />}
      {data && data.attributes.length > 0 && (
        <Declared all={data.attributes} edit={may("traits:write") ? setEditing : undefined} />
      )}
      {!data && !error && (
        <Part title={t.ownAttributes.declared}>
          <Wait width={32} />
        </Part>
      )}
      {data && may("traits:write") && (
        <Part title={editing ? t.ownAttributes.change : t.ownAttributes.make}>
          <Declare key={editing?.name ?? ""} had={editing} done={() => setEditing(null)} />
        </Part>
      )}
      {data && (
        <p className="quiet">
          {t.ownAttributes.most(format.number(data.attributes.length), format.number(data.most))}
        </p>
      )}
    </Page>
  );
}

function Declared({ all, edit }: { all: readonly Own[]; edit: ((own: Own) => void) | undefined }) {
  const { t } = useWords();
  const said = useSaid();
  return (
    <Part title={t.ownAttributes.declared}>
      <ul className="rows">
        {all.map((own) => (
          <li key={own.name}>
            <div>
              <strong>{said(own.label)}</strong> <code>{own.name}</code>
              <p className="quiet">
                {t.ownAttributes.types[own.type]}
                {own.options.length > 0 && (
                  <>
                    {t.ownAttributes.colon}
                    {own.options.map(({ label }) => said(label)).join(t.ownAttributes.comma)}
                  </>
                )}
              </p>
              <UsedBy uses={own.uses} />
              {own.state !== "ready" && <Progress of={own} />}
            </div>
            {edit && own.state !== "going" && (
              <span className="acts">
                <button type="button" className="plain" onClick={() => edit(own)}>
                  {t.ownAttributes.changeOne(said(own.label))}
                </button>
                {isFree(own) && (
                  <Remove
                    words={{
                      ask: t.ownAttributes.remove(said(own.label)),
                      sure: t.ownAttributes.removeSure,
                    }}
                    act={(key) =>
                      call(api.traits.removeAttribute, { attribute: own.name }, { key })
                    }
                    then="/attributes"
                  />
                )}
              </span>
            )}
          </li>
        ))}
      </ul>
    </Part>
  );
}

const isFree = ({ uses }: Own) =>
  uses.segments.length + uses.forms.length + uses.traits.length === 0;
/** What asks for an attribute, each with the way to it: it cannot be deleted before they are changed. */
function UsedBy({ uses: { segments, forms, traits } }: Pick<Own, "uses">) {
  const { t } = useWords();
  const said = useSaid();
  const all = [
    ...segments.map(({ id, name }) => (
      <Link key={id} to="/segments/$segment" params={{ segment: id }}>
        {said(name)}
      </Link>
    )),
    ...forms.map(({ id, title }) => (
      <Link key={id} to="/forms/$form" params={{ form: id }}>
        {said(title)}
      </Link>
    )),
    ...traits.map(({ name, label }) => (
      <Link key={name} to="/traits/edit" search={{ trait: name }}>
        {said(label)}
      </Link>
    )),
  ];
  if (all.length === 0) return null;
  return (
    <p className="quiet">
      {t.ownAttributes.usedBy}
      {all.map((link, i) => [i > 0 && t.ownAttributes.comma, link])}
    </p>
  );
}

function Declare({ had, done }: { had: Own | null; done: () => void }) {
  const { t } = useWords();
  const queries = useQueryClient();
  const words = t.ownAttributes;
  const [type, setType] = useState<Own["type"]>(had?.type ?? "choice");
  const [options, setOptions] = useState(had?.options ?? []);
  const [times, setTimes] = useState(0);
  return (
    <Form
      key={times}
      className="form wide"
      button={words.save}
      act={async ({ code = "", zh = "", en = "" }, key) => {
        await call(
          api.traits.declareAttribute,
          {
            ...{ attribute: had?.name ?? code, label: { zh, en }, type },
            options: type === "choice" ? options : [],
          },
          { key },
        );
        await queries.invalidateQueries({ queryKey: [api.traits.attributes.path] });
        setOptions([]);
        setTimes(times + 1);
        done();
      }}
    >
      {had ? (
        <p>
          {t.traits.code} <code>{had.name}</code>
        </p>
      ) : (
        <Field
          name="code"
          label={t.traits.code}
          hint={words.codeSays}
          required
          maxLength={64}
          placeholder="skin_type"
        />
      )}
      <Field
        name="zh"
        label={t.traits.nameZh}
        required
        maxLength={80}
        defaultValue={had?.label.zh ?? ""}
      />
      <Field
        name="en"
        label={t.traits.nameEn}
        required
        maxLength={80}
        defaultValue={had?.label.en ?? ""}
      />
      {had ? (
        <p className="quiet">{words.types[had.type]}</p>
      ) : (
        <Choice
          label={words.type}
          value={type}
          options={ownTypes.map((one) => ({ value: one, label: words.types[one] }))}
          onChange={(one) => setType(one as Own["type"])}
        />
      )}
      {type === "choice" && <Options value={options} onChange={setOptions} />}
      {had && type === "choice" && <p className="hint">{words.optionGone}</p>}
      {type === "truth" && <p className="hint">{words.truthSays}</p>}
    </Form>
  );
}
