/** Tells the user what has just happened, and offers to undo it. */
import { useEffect, useState } from "preact/hooks";

interface Notice {
  text: string;
  /** Undoes the action of the notice. */
  undo?: (() => void) | undefined;
}

/** Milliseconds. Ctrl+Z still works after that. */
const SHOWN_FOR = 10_000;

let last: Notice | undefined;
let show: (notice: Notice | undefined) => void = () => {};

/** @param undo runs on the button Undo and on Ctrl+Z */
export function say(text: string, undo?: () => void): void {
  last = { text, undo };
  show(last);
}

function undoLast() {
  const undo = last?.undo;
  if (!undo) return;
  undo();
  say("Undone.");
}

/** The place of the notices. A screen reader reads each new one. */
export function Notices() {
  const [notice, setNotice] = useState<Notice | undefined>(last);
  const [isHeld, setHeld] = useState(false);
  show = setNotice;

  useEffect(() => {
    if (!notice || isHeld) return;
    const timer = setTimeout(() => setNotice(undefined), SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [notice, isHeld]);

  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      // In a text field, Ctrl+Z is for the text.
      const isText = (event.target as Element).matches("input:not([type=checkbox]), textarea");
      if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || isText)
        return;
      event.preventDefault();
      undoLast();
    }
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);

  return (
    <div
      class="notices"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocusCapture={() => setHeld(true)}
      onBlurCapture={() => setHeld(false)}
    >
      <p role="status">{notice?.text}</p>
      {notice?.undo && (
        <button type="button" onClick={undoLast}>
          Undo
        </button>
      )}
    </div>
  );
}
