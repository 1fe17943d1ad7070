import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { Problem } from "../ui/call.ts";
import { useWords } from "../ui/words.tsx";

/** Asks once more before it takes away; then leads to where the rest is. */
export function Remove({
  words,
  act,
  then,
}: {
  words: { ask: string; sure: string };
  act: (key: string) => Promise<unknown>;
  then: "/traits" | "/tags" | "/attributes";
}) {
  const { t } = useWords();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [asked, setAsked] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const key = useRef(crypto.randomUUID());
  const remove = async () => {
    try {
      await act(key.current);
      await queries.invalidateQueries();
      await navigate({ to: then });
    } catch (thrown) {
      setWrong(thrown);
    }
  };
  return (
    <>
      {wrong !== null && (
        <span role="alert" className="refusal">
          {wrong instanceof Problem && wrong.message ? wrong.message : t.broken.away}
        </span>
      )}
      {asked && (
        <button type="button" onClick={() => setAsked(false)}>
          {t.cancel}
        </button>
      )}
      <button
        type="button"
        className="danger"
        onClick={() => (asked ? void remove() : setAsked(true))}
      >
        {asked ? words.sure : words.ask}
      </button>
    </>
  );
}
