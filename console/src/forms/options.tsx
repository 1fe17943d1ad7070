import { useId, useState } from "react";
import type { Field } from "../../../src/forms/rules.ts";
import { useWords } from "../ui/words.tsx";

const optionLines = (options: Field["options"]): string =>
  options.map(({ value, label }) => `${value} | ${label.zh} | ${label.en}`).join("\n");
const optionsIn = (text: string): Field["options"] =>
  text.split("\n").flatMap((line) => {
    const [value = "", zh = "", en = ""] = line.split("|").map((part) => part.trim());
    return value === "" ? [] : [{ value, label: { zh: zh || value, en: en || zh || value } }];
  });

/** One option a line, "value | 中文 | English"; read when the box is left, so that typing is not disturbed. */
export function Options({
  value,
  onChange,
}: {
  value: Field["options"];
  onChange: (options: Field["options"]) => void;
}) {
  const { t } = useWords();
  const [text, setText] = useState(optionLines(value));
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{t.forms.options}</label>
      <textarea
        id={id}
        rows={4}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => onChange(optionsIn(text))}
      />
    </div>
  );
}
