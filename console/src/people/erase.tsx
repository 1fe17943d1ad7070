import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { Dialog } from "react-aria-components/Dialog";
import { Heading } from "react-aria-components/Heading";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import { api, call } from "../ui/call.ts";
import { Broken } from "../ui/page.tsx";
import { useWords } from "../ui/words.tsx";

/** Asks once more before what cannot be undone, and afterwards leads away from a member who is no more. */
export default function Erase({
  person,
  number,
  close,
}: {
  person: string;
  number: string;
  close: () => void;
}) {
  const { t } = useWords();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [state, setState] = useState<"asked" | "busy" | "begun">("asked");
  const [wrong, setWrong] = useState<unknown>(null);
  // The same act, however often it has to be tried.
  const key = useRef(crypto.randomUUID());
  const erase = async () => {
    setState("busy");
    setWrong(null);
    try {
      await call(api.privacy.eraseMember, { person }, { key: key.current });
      setState("begun");
    } catch (thrown) {
      setWrong(thrown);
      setState("asked");
    }
  };
  const leave = async () => {
    await navigate({ to: "/members" });
    await queries.invalidateQueries();
  };
  const shut = () => (state === "begun" ? void leave() : state === "asked" && close());
  return (
    <ModalOverlay className="veil" isOpen onOpenChange={(open) => !open && shut()}>
      <Modal className="dialog">
        <Dialog role="alertdialog">
          <Heading slot="title">
            {state === "begun" ? t.member.erasing : t.member.eraseTitle(number)}
          </Heading>
          {state === "begun" ? (
            <>
              <p role="status">{t.member.erasingSays}</p>
              <div className="actions">
                <button type="button" className="primary" onClick={() => void leave()}>
                  {t.member.eraseLeave}
                </button>
              </div>
            </>
          ) : (
            <>
              <p>{t.member.eraseSays}</p>
              <p>
                <strong>{t.member.eraseFinal}</strong>
              </p>
              {wrong !== null && <Broken error={wrong} />}
              <div className="actions">
                <button type="button" onClick={shut}>
                  {t.cancel}
                </button>
                <button
                  type="button"
                  className="danger"
                  aria-disabled={state === "busy"}
                  onClick={() => {
                    if (state === "asked") void erase();
                  }}
                >
                  {state === "busy" ? t.busy : t.member.eraseSure}
                </button>
              </div>
            </>
          )}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
