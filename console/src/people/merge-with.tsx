import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { Dialog } from "react-aria-components/Dialog";
import { Heading } from "react-aria-components/Heading";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { Broken } from "../ui/page.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { Counts, Named } from "./identity.tsx";
import { workedOut } from "./worked-out.ts";

type Plan = Answer<typeof api.people.merge>;
type Asked = { person: string; other: string; reason: string };

/** Finds the other member, says what merging would do, and does it once that is confirmed. */
export default function MergeWith({ person, close }: { person: string; close: () => void }) {
  const { t } = useWords();
  const format = useFormat();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [plan, setPlan] = useState<{ asked: Asked; would: Plan } | null>(null);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const key = useRef(crypto.randomUUID());
  const words = t.identity;
  const sure = async () => {
    if (!plan || busy) return;
    setBusy(true);
    try {
      const { stays, job } = await call(api.people.merge, plan.asked, { key: key.current });
      await workedOut(job);
      await queries.invalidateQueries();
      close();
      await navigate({ to: "/members/$person", params: { person: stays.personId } });
    } catch (thrown) {
      setWrong(thrown);
      setBusy(false);
    }
  };
  return (
    <ModalOverlay className="veil" isOpen onOpenChange={(open) => !open && !busy && close()}>
      <Modal className="dialog">
        <Dialog>
          <Heading slot="title">{words.mergeTitle}</Heading>
          {plan ? (
            <>
              <p>
                <Named of={plan.would.goes} /> → <Named of={plan.would.stays} />
              </p>
              <p>{words.staysSays}</p>
              <p>
                {words.wouldMove}
                <Counts of={plan.would.moves} />
              </p>
              <ul className="plain-list">
                {plan.would.both.programmes > 0 && (
                  <li>{words.bothProgrammes(format.number(plan.would.both.programmes))}</li>
                )}
                {plan.would.both.crossed > 0 && (
                  <li>{words.crossed(format.number(plan.would.both.crossed))}</li>
                )}
                {plan.would.both.stricter > 0 && (
                  <li>{words.stricter(format.number(plan.would.both.stricter))}</li>
                )}
              </ul>
              {wrong !== null && <Broken error={wrong} />}
              <div className="actions">
                <button type="button" onClick={close}>
                  {t.cancel}
                </button>
                <button
                  type="button"
                  className="primary"
                  aria-disabled={busy}
                  onClick={() => void sure()}
                >
                  {busy ? t.busy : words.sure}
                </button>
              </div>
            </>
          ) : (
            <>
              <p>{words.mergeSays}</p>
              <Form
                button={words.look}
                act={async ({ by = "userId", value = "", reason = "" }) => {
                  const { personId: other } = await call(api.people.find, { [by]: value });
                  const asked = { person, other, reason };
                  const would = await call(api.people.merge, asked, { dry: true });
                  setPlan({ asked, would });
                }}
              >
                <Choice
                  name="by"
                  label={words.findBy}
                  options={[
                    { value: "userId", label: t.fields["user_id"]! },
                    { value: "email", label: t.fields["email"]! },
                    { value: "phone", label: t.fields["phone"]! },
                  ]}
                />
                <Field name="value" label={words.value} required maxLength={254} />
                <Field name="reason" label={words.reason} required maxLength={200} />
              </Form>
              <button type="button" className="plain" onClick={close}>
                {t.cancel}
              </button>
            </>
          )}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
