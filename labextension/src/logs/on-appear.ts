/** Elements that lose their place: a browser scrolls what is moved in the page to its beginning. */

/** An animation of the style sheets in which nothing moves; it begins when an element appears. */
const NAME = 'kfnb-shown';

/**
 * Tells when an element appeared, again too: a tab was chosen, or a notebook drew its output anew.
 * No other event tells of an element that was only moved. The style sheet names the animation.
 */
export function onAppear(element: HTMLElement, tell: () => void): void {
  element.addEventListener('animationstart', event => {
    if (event.target === element && event.animationName === NAME) {
      tell();
    }
  });
}
