/** cel-go's units of cost (common/cost.go): one is about 50 ns of kube-apiserver's time. */
export const SELECT = 1;
export const LIST_BASE = 10;
export const MAP_BASE = 30;
/** For each character of a text that is walked through. */
export const TRAVERSAL = 0.1;
/** For each character of a pattern, times what the text costs. */
export const REGEX_FACTOR = 0.25;
