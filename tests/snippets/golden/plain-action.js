// Websync goal "Shop visitors", revision 1.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// It goes to Auth0: Actions > Library > Create Action > Build from scratch, trigger "Login / Post Login", runtime Node 22.
// Then press Deploy and drag the Action into Actions > Triggers > post-login.

exports.onExecutePostLogin = async () => {
  // Nothing to do: the token has every field of this goal by itself.
};
