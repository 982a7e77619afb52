// Hands the answer of a login to the window that embeds this one (silent authentication) or opened it (popup), and to no
// other origin than the one the answer is for.
const { answer, targetOrigin } = document.body.dataset;
const application = window.opener ?? window.parent;
application.postMessage({ type: "authorization_response", response: JSON.parse(answer) }, targetOrigin);
