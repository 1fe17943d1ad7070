import { useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import {
  againDaysUsual,
  fieldTypes,
  unfitIn,
  type Definition,
  type Field,
} from "../../../src/forms/rules.ts";
import { consentText } from "../../../src/messages/rules.ts";
import { api, call, type Answer } from "../ui/call.ts";
import { Copy } from "../ui/copy.tsx";
import { Choice, Field as Input, Form, Held } from "../ui/form.tsx";
import { wordFor } from "../ui/marks.tsx";
import { Broken, Page, Part, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Options } from "./options.tsx";
import { Both, plainField, Preview } from "./parts.tsx";

type Shown = Answer<typeof api.forms.one>;

export function FormPage() {
  const { t } = useWords();
  const said = useSaid();
  const may = useMay();
  const { form } = useParams({ from: "/inside/forms/$form" });
  const { data, error, refetch } = useCall(api.forms.one, { form });
  const back = <Link to="/forms">{t.forms.back}</Link>;
  if (error)
    return (
      <Page title={t.forms.one} says={back}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  return (
    <Page title={data ? said(data.definition.title) : <Wait width={8} />} says={back}>
      {data && (
        <>
          <Publish form={data} />
          <Rates form={data} />
          {may("forms:write") ? (
            // A new version is a new beginning for what is being written.
            <Builder key={data.version} form={data} />
          ) : (
            <Preview form={data.definition as Definition} />
          )}
        </>
      )}
    </Page>
  );
}

/** As text within a page. */
const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function Publish({ form }: { form: Shown }) {
  const said = useSaid();
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const element = `<liuke-form form="${form.slug}" style="display:block;height:600px"><a href="${location.origin}/f/${form.slug}">${escaped(said(form.definition.title))}</a></liuke-form>\n<script type="module" src="${location.origin}/widgets/form.js"></script>`;
  return (
    <Part title={t.forms.publish} says={t.forms.states[form.state]}>
      {form.state === "live" && (
        <>
          <p>{t.forms.hosted}</p>
          <Copy text={`${location.origin}/f/${form.slug}`} />
          <p>{t.forms.element}</p>
          <Copy lines text={element} />
        </>
      )}
      {may("forms:write") && (
        <Form
          className="form row"
          button={t.forms.save}
          act={async ({ state = "draft", origins = "" }, key) => {
            const asked = {
              form: form.id,
              state: state as Shown["state"],
              origins: origins.split(/[\s,，]+/).filter((one) => one !== ""),
            };
            await call(api.forms.publish, asked, { key });
            await queries.invalidateQueries();
          }}
        >
          <Choice
            label={t.state}
            name="state"
            value={form.state}
            options={(["draft", "live", "closed"] as const).map((state) => ({
              value: state,
              label: t.forms.states[state],
            }))}
          />
          <Input
            label={t.forms.origins}
            name="origins"
            defaultValue={form.origins.join(" ")}
            hint={t.forms.originsSay}
          />
        </Form>
      )}
    </Part>
  );
}

type Rate = Shown["fields"][number];
function Rates({ form }: { form: Shown }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const labels = new Map(form.definition.fields.map(({ name, label }) => [name, said(label)]));
  return (
    <Part title={t.forms.rates} says={t.forms.ratesSay(format.number(form.submissions))}>
      <DataTable<Rate>
        caption={t.forms.rates}
        rows={form.fields}
        keyOf={({ name }) => name}
        columns={[
          {
            id: "name",
            header: t.forms.question,
            names: true,
            cell: ({ name }) => labels.get(name) ?? name,
          },
          {
            id: "asked",
            header: t.forms.asked,
            numeric: true,
            cell: ({ asked }) => format.number(asked),
          },
          {
            id: "filled",
            header: t.forms.filled,
            numeric: true,
            cell: ({ filled }) => format.number(filled),
          },
          {
            id: "rate",
            header: t.forms.rate,
            numeric: true,
            cell: ({ asked, filled }) => (asked > 0 ? format.part(filled / asked) : t.none),
          },
        ]}
      />
    </Part>
  );
}

const kinds = [
  ["marketing", "email"],
  ["marketing", "inapp"],
  ["service", "email"],
  ["service", "inapp"],
  ["social", "use"],
  ["sensitive", "use"],
] as const;
/** Edits a form beside what a visitor would see of it, by the server's own rules. */
function Builder({ form }: { form: Shown }) {
  const { t } = useWords();
  const queries = useQueryClient();
  const [draft, setDraft] = useState(form.definition as Definition);
  const set = (more: Partial<Definition>) => setDraft({ ...draft, ...more });
  const setField = (at: number, more: Partial<Field>) =>
    set({ fields: draft.fields.map((one, i) => (i === at ? { ...one, ...more } : one)) });
  const move = (at: number, by: number) => {
    const fields = [...draft.fields];
    const [one] = fields.splice(at, 1);
    fields.splice(at + by, 0, one!);
    set({ fields });
  };
  const unfit = unfitIn(draft);
  return (
    <div className="columns">
      <Part title={t.forms.build}>
        <Form
          className="form wide"
          button={t.forms.saveVersion}
          act={async (_, key) => {
            await call(api.forms.change, { form: form.id, definition: draft }, { key });
            await queries.invalidateQueries();
          }}
        >
          <Both
            label={t.forms.title}
            value={draft.title}
            longest={100}
            onChange={(title) => set({ title })}
          />
          <Both
            label={t.forms.intro}
            value={draft.intro}
            longest={1000}
            onChange={(intro) => set({ intro })}
          />
          <Both
            label={t.forms.thanks}
            value={draft.thanks}
            longest={500}
            onChange={(thanks) => set({ thanks })}
          />
          <Choice
            label={t.forms.perStep}
            value={String(draft.perStep)}
            options={[1, 2, 3, 4, 5, 8, 12, 20].map((n) => ({
              value: String(n),
              label: String(n),
            }))}
            onChange={(value) => set({ perStep: Number(value) })}
          />
          <Choice
            label={t.forms.againDays}
            value={String(draft.againDays ?? againDaysUsual)}
            options={[...new Set([7, 30, 90, 180, 365, draft.againDays ?? againDaysUsual])]
              .toSorted((a, b) => a - b)
              .map((n) => ({ value: String(n), label: String(n) }))}
            onChange={(value) => set({ againDays: Number(value) })}
          />
          {draft.fields.map((field, i) => (
            // A question keeps its place while its name is being typed.
            // oxlint-disable-next-line react/no-array-index-key
            <fieldset key={i} className="checks">
              <legend>{t.forms.questionNo(String(i + 1))}</legend>
              <Both
                label={t.forms.label}
                value={field.label}
                longest={100}
                onChange={(label) => setField(i, { label })}
              />
              <Held
                maxLength={40}
                label={t.forms.fieldName}
                value={field.name}
                onChange={(name) => setField(i, { name })}
              />
              <Choice
                label={t.forms.type}
                value={field.type}
                options={fieldTypes.map((type) => ({ value: type, label: t.forms.types[type] }))}
                onChange={(type) => setField(i, { type: type as Field["type"] })}
              />
              {field.type === "choice" && (
                <Options value={field.options} onChange={(options) => setField(i, { options })} />
              )}
              <label>
                <input
                  type="checkbox"
                  checked={field.required}
                  onChange={(event) => setField(i, { required: event.target.checked })}
                />
                <span>{t.forms.required}</span>
              </label>
              <label>
                <input
                  type="checkbox"
                  checked={field.sensitive}
                  onChange={(event) => setField(i, { sensitive: event.target.checked })}
                />
                <span>{t.forms.sensitive}</span>
              </label>
              <p>
                <button
                  type="button"
                  className="small"
                  disabled={i === 0}
                  onClick={() => move(i, -1)}
                >
                  {t.forms.up}
                </button>{" "}
                <button
                  type="button"
                  className="small"
                  disabled={i === draft.fields.length - 1}
                  onClick={() => move(i, 1)}
                >
                  {t.forms.down}
                </button>{" "}
                <button
                  type="button"
                  className="small"
                  disabled={draft.fields.length === 1}
                  onClick={() => set({ fields: draft.fields.filter((_, at) => at !== i) })}
                >
                  {t.forms.remove}
                </button>
              </p>
            </fieldset>
          ))}
          <p>
            <button
              type="button"
              onClick={() => {
                const name = `question_${draft.fields.length + 1}`;
                set({
                  fields: [...draft.fields, plainField(name, "text", "新问题", "A new question")],
                });
              }}
            >
              {t.forms.add}
            </button>
          </p>
          <fieldset className="checks">
            <legend>{t.forms.consents}</legend>
            {kinds.map(([purpose, channel]) => {
              const at = draft.consents.findIndex(
                (one) => one.purpose === purpose && one.channel === channel,
              );
              const name = `${t.purposes[purpose]} · ${wordFor(t.channels, channel)}`;
              return (
                <div key={purpose + channel}>
                  <label>
                    <input
                      type="checkbox"
                      checked={at >= 0}
                      onChange={(event) =>
                        set({
                          consents: event.target.checked
                            ? [
                                ...draft.consents,
                                { purpose, channel, text: consentText({ purpose, channel }) },
                              ]
                            : draft.consents.filter((_, i) => i !== at),
                        })
                      }
                    />
                    <span>{name}</span>
                  </label>
                  {at >= 0 && (
                    <Both
                      label={name}
                      value={draft.consents[at]!.text}
                      longest={500}
                      onChange={(text) =>
                        set({
                          consents: draft.consents.map((one, i) =>
                            i === at ? { ...one, text } : one,
                          ),
                        })
                      }
                    />
                  )}
                </div>
              );
            })}
            <label>
              <input
                type="checkbox"
                checked={draft.doubleOptIn}
                onChange={(event) => set({ doubleOptIn: event.target.checked })}
              />
              <span>{t.forms.doubleOptIn}</span>
            </label>
          </fieldset>
          {unfit.length > 0 && <p className="wrong">{t.forms.unfit(unfit.join(", "))}</p>}
        </Form>
      </Part>
      <Preview form={draft} />
    </div>
  );
}
