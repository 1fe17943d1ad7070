import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { Problem } from "./call.ts";
import { useWords } from "./words.tsx";

/** Asks once more before it takes away; then leads to where the rest is. */
export function Remove({
  words,
  act,
  then,
}: {
  /** `says`: what goes with it, said beside the last question. */
  words: { ask: string; sure: string; says?: string };
  act: (key: string) => Promise<unknown>;
  then: "/traits" | "/tags" | "/attributes" | "/segments";
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
      // A refusal was an answer: the next try is another act.
      if (thrown instanceof Problem && thrown.status !== 0) key.current = crypto.randomUUID();
    }
  };
  return (
    <>
      {wrong !== null && (
        <span role="alert" className="refusal">
          {wrong instanceof Problem && wrong.message ? wrong.message : t.broken.away}
        </span>
      )}
      {asked && words.says && wrong === null && <span className="quiet">{words.says}</span>}
      {asked && (
        <button
          type="button"
          onClick={() => {
            setAsked(false);
            setWrong(null);
          }}
        >
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
