/** Detects when elements appear, because a browser resets the scrolling of an element that is moved. */

/** An animation without movement in the style sheets, which starts when an element appears. */
const NAME = 'kfnb-shown';

/**
 * Calls `act` whenever an element appears, for example because its tab was opened or the notebook
 * drew the output again. There is no other event for an element that was only moved.
 */
export function onAppear(element: HTMLElement, act: () => void): void {
  element.addEventListener('animationstart', event => {
    if (event.target === element && event.animationName === NAME) {
      act();
    }
  });
}
