import { Link, useNavigate } from "@tanstack/react-router";
import { api, call, type Answer } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { firstForm } from "./parts.tsx";

type Listed = Answer<typeof api.forms.list>["forms"][number];

export function Forms() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const may = useMay();
  const go = useNavigate();
  const { data, error, refetch, isPending } = useCall(api.forms.list, {});
  return (
    <Page title={t.nav.forms} says={t.forms.says}>
      <Part title={t.forms.all}>
        {error ? (
          <Broken error={error} again={refetch} />
        ) : data?.forms.length === 0 ? (
          <Empty says={t.forms.empty} />
        ) : (
          <DataTable<Listed>
            caption={t.forms.all}
            rows={data?.forms}
            keyOf={({ id }) => id}
            expect={2}
            columns={[
              {
                id: "title",
                header: t.forms.title,
                names: true,
                cell: ({ id, title }) => (
                  <Link to="/forms/$form" params={{ form: id }}>
                    {said(title)}
                  </Link>
                ),
              },
              { id: "slug", header: t.forms.address, cell: ({ slug }) => <code>/f/{slug}</code> },
              { id: "state", header: t.state, cell: ({ state }) => t.forms.states[state] },
              {
                id: "answers",
                header: t.forms.answers,
                numeric: true,
                cell: ({ submissions }) => format.number(submissions),
              },
              {
                id: "last",
                header: t.forms.last,
                cell: ({ lastAt }) => (lastAt ? <At at={lastAt} /> : t.none),
              },
            ]}
          />
        )}
      </Part>
      {/* Below a table of unknown height nothing stands until its height is known. */}
      {!isPending && may("forms:write") && (
        <Part title={t.forms.make} says={t.forms.makeSays}>
          <Form
            className="form row"
            button={t.forms.makeButton}
            act={async ({ slug = "" }, key) => {
              const made = { slug: slug.trim(), definition: firstForm };
              const { id } = await call(api.forms.define, made, { key });
              await go({ to: "/forms/$form", params: { form: id } });
            }}
          >
            <Field
              label={t.forms.slug}
              name="slug"
              required
              minLength={2}
              maxLength={40}
              hint={t.forms.slugSays}
            />
          </Form>
        </Part>
      )}
    </Page>
  );
}
