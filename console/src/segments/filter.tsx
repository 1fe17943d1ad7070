// One filter of what an event says, as segments and traits both ask it.
import type { Filter } from "../../../src/segments/rules.ts";
import { Choose, Text, type Named } from "../ui/inputs.tsx";
import { useWords } from "../ui/words.tsx";
import { valueOf } from "./draft.ts";

const listOf = (text: string): string[] | number[] => {
  const values = text.split(/[,，]\s*/).map(valueOf);
  return values.every((one) => typeof one === "number") ? values : values.map(String);
};
const typedIn = (filter: Filter): string =>
  filter.is === "known" ? "" : filter.is === "in" ? filter.values.join(", ") : String(filter.value);

export function FilterLine({
  filter,
  names,
  onChange,
  onRemove,
}: {
  filter: Filter;
  /** Properties that were seen. */
  names: readonly (string | Named)[];
  onChange: (filter: Filter) => void;
  onRemove: () => void;
}) {
  const { t } = useWords();
  const words = t.segments.builder;
  const { property } = filter;
  const text = typedIn(filter);
  const put = (is: string, typed: string): Filter => {
    if (is === "known") return { property, is };
    if (is === "in") return { property, is, values: listOf(typed) };
    const value = valueOf(typed);
    // Truths are there or not, and nothing between.
    if ((typed === "true" || typed === "false") && (is === "eq" || is === "ne"))
      return { property, is, value: typed === "true" };
    return { property, is: is as "eq", value };
  };
  return (
    <span className="condition-line">
      <Text
        label={words.property}
        value={property}
        options={names}
        onChange={(name) => onChange({ ...filter, property: name })}
      />
      <Choose
        label={words.comparison}
        value={filter.is}
        options={[
          ...Object.entries(words.comparisons),
          ["in", words.isIn],
          ["known", words.isKnown],
        ]}
        onChange={(is) => onChange(put(is, text))}
      />
      {filter.is !== "known" && (
        <Text
          label={words.value}
          value={text}
          options={[]}
          onChange={(typed) => onChange(put(filter.is, typed))}
        />
      )}
      <button type="button" className="plain" onClick={onRemove}>
        {words.removeFilter(property)}
      </button>
    </span>
  );
}
