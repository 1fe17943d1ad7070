import { Link, useSearch } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { wordFor } from "../ui/marks.tsx";
import { Page } from "../ui/page.tsx";
import { PeopleList } from "../ui/people.tsx";
import { useWords } from "../ui/words.tsx";

type Figure = "yesterday" | "day_before" | "week" | "week_before" | "stage" | "transition";
const figures: readonly string[] = [
  "yesterday",
  "day_before",
  "week",
  "week_before",
  "stage",
  "transition",
];
const rowsOf = (answer: Answer<typeof api.insights.todayPeople>) => answer.people;

export function TodayPeople() {
  const { t } = useWords();
  const { figure = "", ...rest } = useSearch({ from: "/inside/today/people" });
  const known = (figures.includes(figure) ? figure : "week") as Figure;
  const word = (stage: string | undefined) => (stage ? wordFor(t.stages, stage) : t.none);
  const title =
    known === "transition"
      ? t.today.moved(word(rest.before), word(rest.now))
      : known === "stage"
        ? word(rest.stage)
        : t.today.figures[known];
  return (
    <Page title={title} says={<Link to="/">{t.today.back}</Link>}>
      <PeopleList
        to={api.insights.todayPeople}
        input={{ figure: known, ...rest }}
        rowsOf={rowsOf}
        columns={[]}
        caption={title}
        empty={{ says: t.list.nobody, action: <Link to="/">{t.today.back}</Link> }}
      />
    </Page>
  );
}
