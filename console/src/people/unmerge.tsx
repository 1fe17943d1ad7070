import { useQueryClient } from "@tanstack/react-query";
import { Dialog } from "react-aria-components/Dialog";
import { Heading } from "react-aria-components/Heading";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { Counts, Named } from "./identity.tsx";
import { workedOut } from "./worked-out.ts";

type Merge = Answer<typeof api.people.merges>["merges"][number];
type Plan = Answer<typeof api.people.unmerge>;

/** Says what comes back before it is undone. */
export default function Unmerge({
  person,
  merge,
  close,
}: {
  person: string;
  merge: Merge;
  close: () => void;
}) {
  const { t } = useWords();
  const format = useFormat();
  const queries = useQueryClient();
  const [plan, setPlan] = useState<Plan | null>(null);
  const words = t.identity;
  return (
    <ModalOverlay className="veil" isOpen onOpenChange={(open) => !open && close()}>
      <Modal className="dialog">
        <Dialog role="alertdialog">
          <Heading slot="title">{words.undoTitle}</Heading>
          <p>
            <Named of={merge.from} /> ← <Named of={merge.into} />
          </p>
          {plan ? (
            <>
              <p>
                {words.returns}
                <Counts of={plan.returns} />
              </p>
              {plan.spent.coupons > 0 && <p>{words.spent(format.number(plan.spent.coupons))}</p>}
            </>
          ) : (
            <p>{words.undoSays}</p>
          )}
          <Form
            button={plan ? words.undoSure : words.look}
            act={async ({ reason = "" }, key) => {
              const asked = { person, merge: merge.id, reason };
              if (!plan) return setPlan(await call(api.people.unmerge, asked, { dry: true }));
              const { job } = await call(api.people.unmerge, asked, { key });
              await workedOut(job);
              await queries.invalidateQueries();
              close();
            }}
          >
            <Field name="reason" label={words.reason} required maxLength={200} />
          </Form>
          <button type="button" className="plain" onClick={close}>
            {t.cancel}
          </button>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
