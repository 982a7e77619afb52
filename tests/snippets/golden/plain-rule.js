// Websync goal "Shop visitors", revision 1.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// For reference only: Auth0 made Rules read-only on 2024-11-18 and ended them on 2026-11-18. This shows what the Action
// replaces. It stood in Auth0 at Auth Pipeline > Rules; deploy the Action instead.
function (user, context, callback) {
  // Nothing to do: the token has every field of this goal by itself.
  callback(null, user, context);
}
