// How fast what members are drawn to fades: one figure for the whole shop.
import { useQueryClient } from "@tanstack/react-query";
import { api, call } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { Broken, Part, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

export function Preference() {
  const { t } = useWords();
  const format = useFormat();
  const may = useMay();
  const queries = useQueryClient();
  const words = t.preference;
  const { data, error, refetch } = useCall(api.traits.preference, {}, { refetchMs: 3000 });
  return (
    <Part title={words.title} says={words.says}>
      {error && <Broken error={error} again={refetch} />}
      {!data && !error && <Wait width={16} />}
      {data && (
        <>
          <p>{words.now(format.number(data.halfLifeDays))}</p>
          {data.state === "filling" && (
            <p role="status">
              {t.traits.filling(format.number(data.done), format.number(data.total))}
            </p>
          )}
          {may("traits:write") && (
            <Form
              key={data.halfLifeDays}
              button={words.save}
              act={async ({ days = "" }, key) => {
                await call(api.traits.setPreference, { halfLifeDays: Number(days) }, { key });
                await queries.invalidateQueries({ queryKey: [api.traits.preference.path] });
              }}
            >
              <Field
                name="days"
                label={words.days}
                hint={words.between(format.number(data.least), format.number(data.most))}
                required
                maxLength={3}
                defaultValue={String(data.halfLifeDays)}
              />
            </Form>
          )}
        </>
      )}
    </Part>
  );
}
