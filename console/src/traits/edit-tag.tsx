import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { Choose, Figure, Text } from "../ui/inputs.tsx";
import { Broken, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useSaid, useWords } from "../ui/words.tsx";

type Had = Answer<typeof api.traits.showTag>;
type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";
type Line =
  | { by: "segment"; value: string; segment: string }
  | { by: "attribute"; value: string; attribute: string; is: Comparison; number: number };

/** Rules of a tag, from the top: the first that fits gives the value. */
export function EditTag() {
  const { t } = useWords();
  const { tag } = useSearch({ from: "/inside/tags/edit" });
  const had = useCall(api.traits.showTag, tag ? { tag, limit: "1" } : undefined);
  const segments = useCall(api.segments.list, {});
  const suggested = useCall(api.segments.suggest, {});
  const error = had.error ?? segments.error ?? suggested.error;
  return (
    <Page
      title={tag ? t.tagPage.one(tag) : t.tagPage.make}
      says={<Link to="/tags">{t.tagPage.back}</Link>}
    >
      {error ? (
        <Broken error={error} again={segments.refetch} />
      ) : segments.data && suggested.data && (!tag || had.data) ? (
        <Rules
          key={tag ?? ""}
          had={had.data}
          segments={segments.data.segments}
          suggested={suggested.data}
        />
      ) : (
        <Part title={t.tagPage.rules}>
          <Wait width={32} />
        </Part>
      )}
    </Page>
  );
}

function Rules({
  had,
  segments,
  suggested,
}: {
  had: Had | undefined;
  segments: Answer<typeof api.segments.list>["segments"];
  suggested: Answer<typeof api.segments.suggest>;
}) {
  const { t } = useWords();
  const said = useSaid();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const words = t.tagPage;
  const figures = suggested.attributes.flatMap(({ name, type }) =>
    type === "number" ? [name] : [],
  );
  const blank = (): Line =>
    segments[0]
      ? { by: "segment", value: "", segment: segments[0].id }
      : { by: "attribute", value: "", attribute: figures[0] ?? "orders", is: "ge", number: 1 };
  const [lines, setLines] = useState<Line[]>(() =>
    had && had.rules.length > 0
      ? had.rules.map(({ value, segment }) => ({ by: "segment", value, segment }))
      : [blank()],
  );
  const put = (i: number, line: Line) => setLines(lines.with(i, line));
  return (
    <Form
      className="form wide"
      button={words.save}
      act={async (values, key) => {
        const { zh = "", en = "", shown } = values;
        const made = await call(
          api.traits.declareTag,
          {
            tag: had?.tag ?? values["code"] ?? "",
            label: { zh, en },
            shown: shown === "yes",
            rules: lines.map((line) =>
              line.by === "segment"
                ? { value: line.value, segment: line.segment }
                : {
                    value: line.value,
                    when: { attribute: line.attribute, is: line.is, value: line.number },
                  },
            ),
          },
          { key },
        );
        await queries.invalidateQueries();
        await navigate({ to: "/tags/of/$tag", params: { tag: made.tag } });
      }}
    >
      {!had && (
        <Field
          name="code"
          label={words.code}
          hint={words.codeSays}
          required
          maxLength={64}
          placeholder="big_spender"
        />
      )}
      <Field
        name="zh"
        label={words.nameZh}
        required
        maxLength={80}
        defaultValue={had?.label?.zh ?? ""}
      />
      <Field
        name="en"
        label={words.nameEn}
        required
        maxLength={80}
        defaultValue={had?.label?.en ?? ""}
      />
      <Choice
        name="shown"
        label={words.shown}
        value={had?.shown ? "yes" : "no"}
        options={[
          { value: "no", label: words.shownNo },
          { value: "yes", label: words.shownYes },
        ]}
      />
      <p className="says">{words.rulesSay}</p>
      {lines.map((line, i) => (
        // A rule is its place.
        <fieldset key={i} className="condition">
          <legend className="unseen">
            {words.rules} {i + 1}
          </legend>
          <div className="condition-line">
            <Text
              label={words.value}
              value={line.value}
              options={[]}
              onChange={(value) => put(i, { ...line, value })}
            />
            <Choose
              label={words.by}
              value={line.by}
              options={[
                ...(segments.length > 0 ? [["segment", words.bySegment] as const] : []),
                ["attribute", words.byAttribute] as const,
              ]}
              onChange={(by) =>
                put(
                  i,
                  by === "segment"
                    ? { by, value: line.value, segment: segments[0]!.id }
                    : {
                        ...{ by: "attribute", value: line.value },
                        ...{ attribute: figures[0] ?? "orders", is: "ge", number: 1 },
                      },
                )
              }
            />
            {line.by === "segment" ? (
              <Choose
                label={t.nav.segments}
                value={line.segment}
                options={segments.map(({ id, name }) => [id, said(name)])}
                onChange={(segment) => put(i, { ...line, segment })}
              />
            ) : (
              <>
                <Text
                  label={t.segments.builder.attribute}
                  value={line.attribute}
                  options={figures}
                  onChange={(attribute) => put(i, { ...line, attribute })}
                />
                <Choose
                  label={t.segments.builder.comparison}
                  value={line.is}
                  options={Object.entries(t.segments.builder.comparisons)}
                  onChange={(is) => put(i, { ...line, is: is as Comparison })}
                />
                <Figure
                  label={t.segments.builder.value}
                  value={line.number}
                  onChange={(number) => put(i, { ...line, number })}
                />
              </>
            )}
            {lines.length > 1 && (
              <button
                type="button"
                className="plain"
                onClick={() => setLines(lines.toSpliced(i, 1))}
              >
                {words.removeRule(String(i + 1))}
              </button>
            )}
          </div>
        </fieldset>
      ))}
      {lines.length < 20 && (
        <button type="button" className="plain" onClick={() => setLines([...lines, blank()])}>
          {words.add}
        </button>
      )}
    </Form>
  );
}
