import { useQueryClient } from "@tanstack/react-query";
import { api, call } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { useWords } from "../ui/words.tsx";

const dayMs = 86_400_000;
/** A tag that a colleague gives or takes away, with why and until when. `now`: the shop's clock. */
export default function TagByHand({
  person,
  now,
  done,
}: {
  person: string;
  now: string;
  done: () => void;
}) {
  const { t } = useWords();
  const queries = useQueryClient();
  const words = t.tagPage;
  return (
    <Form
      button={words.set}
      act={async (values, key) => {
        const { tag = "", value = "", reason = "", days = "" } = values;
        const until = Number(days);
        await call(
          api.people.tag,
          {
            ...{ person, tag, value: value.trim() === "" ? null : value },
            ...(reason.trim() === "" ? {} : { reason }),
            ...(until > 0
              ? { expiresAt: new Date(Date.parse(now) + until * dayMs).toISOString() }
              : {}),
          },
          { key },
        );
        await queries.invalidateQueries({ queryKey: [api.people.show.path] });
        await queries.invalidateQueries({ queryKey: [api.people.timeline.path] });
        done();
      }}
    >
      <p className="says">{words.byHandSays}</p>
      <Field name="tag" label={words.code} required maxLength={64} placeholder="vip" />
      <Field name="value" label={words.handValue} maxLength={64} />
      <Field name="reason" label={words.reason} maxLength={200} />
      <Field name="days" label={words.days_} maxLength={4} />
    </Form>
  );
}
