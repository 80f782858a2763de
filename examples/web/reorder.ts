/** Changes the order of the items of a list: by dragging with a mouse, pen or finger, or with the arrow keys. */
import { useState } from "preact/hooks";

interface Drag {
  key: number;
  /** Where on the page the drag began, and the distance from there. */
  start: number;
  offset: number;
  /** The current place of the item. */
  to: number;
  height: number;
  /** The middles of the items when the drag began. */
  middles: number[];
}

/**
 * Each item is an `li` with a button in it, the handle.
 * @param keys the keys of the items, in their order
 * @param move moves an item to another index
 */
export function useReorder(keys: number[], move: (key: number, to: number) => void) {
  const [drag, setDrag] = useState<Drag>();

  function begin(event: PointerEvent, key: number) {
    // The event handlers belong to the handle.
    const handle = event.currentTarget as HTMLElement;
    const item = handle.closest("li");
    if (!item?.parentElement || event.button !== 0) return;
    handle.setPointerCapture(event.pointerId);
    const boxes = Array.from(item.parentElement.children, (each) => each.getBoundingClientRect());
    setDrag({
      key,
      start: event.pageY,
      offset: 0,
      to: keys.indexOf(key),
      height: item.getBoundingClientRect().height,
      middles: boxes.map(({ top, height }) => top + height / 2 + scrollY),
    });
  }

  function follow(event: PointerEvent) {
    if (!drag) return;
    const offset = event.pageY - drag.start;
    const from = keys.indexOf(drag.key);
    const middle = (drag.middles[from] ?? 0) + offset;
    const others = drag.middles.filter((_, index) => index !== from);
    setDrag({ ...drag, offset, to: others.filter((other) => other < middle).length });
    scrollAtEdge(event.clientY);
  }

  function drop() {
    if (drag && keys.indexOf(drag.key) !== drag.to) move(drag.key, drag.to);
    setDrag(undefined);
  }

  function onKeyDown(event: KeyboardEvent, key: number) {
    if (event.key === "Escape") setDrag(undefined);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const to = keys.indexOf(key) + step;
    if (to < 0 || to >= keys.length) return;
    move(key, to);
    // An element that is moved in the page loses the focus.
    const handle = event.currentTarget as HTMLElement;
    requestAnimationFrame(() => handle.focus());
  }

  /** The distance by which the other items make room. */
  function shiftOf(index: number): number {
    if (!drag) return 0;
    const from = keys.indexOf(drag.key);
    if (index === from) return drag.offset;
    if (from < index && index <= drag.to) return -drag.height;
    return drag.to <= index && index < from ? drag.height : 0;
  }

  return {
    dragged: drag?.key,
    /** For the handle of an item. */
    handle: (key: number) => ({
      onPointerDown: (event: PointerEvent) => begin(event, key),
      onPointerMove: follow,
      onPointerUp: drop,
      onPointerCancel: () => setDrag(undefined),
      onKeyDown: (event: KeyboardEvent) => onKeyDown(event, key),
    }),
    /** For the item itself. */
    style: (index: number) => (drag ? { transform: `translateY(${shiftOf(index)}px)` } : {}),
  };
}

/** Pixels from the edge of the window within which a drag scrolls, and the distance of one step. */
const EDGE = 72;
const STEP = 12;

function scrollAtEdge(y: number) {
  if (y < EDGE) scrollBy(0, -STEP);
  else if (y > innerHeight - EDGE) scrollBy(0, STEP);
}
