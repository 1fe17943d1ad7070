import { At } from "../ui/page.tsx";
import { useWords } from "../ui/words.tsx";

/** How a webhook fares, in words: on, failing since when, or off and why. */
export function Standing({
  of: { state, reason, failingSince },
}: {
  of: {
    state: "on" | "off";
    reason: "operator" | "gone" | "failing" | null;
    failingSince: string | null;
  };
}) {
  const { t } = useWords();
  if (state === "off") return t.hooks.reasons[reason ?? "operator"];
  if (!failingSince) return t.hooks.works;
  return (
    <>
      {t.hooks.failingSince} <At at={failingSince} />
    </>
  );
}
